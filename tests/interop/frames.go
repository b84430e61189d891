// The frames of the three protocols, as far as a client must see them, and an inspector of all that
// a server sends: the libraries forgive much that their other versions do not.
package main

import (
	"encoding/binary"
	"fmt"
	"sync"
)

type protocol int

const (
	kYamux protocol = iota
	kSmux1
	kSmux2
)

const (
	firstWindow  = 262144
	largestFrame = 32768 // of data, for fairness; the protocols would allow more

	yamuxData, yamuxUpdate, yamuxPing, yamuxGoAway = 0, 1, 2, 3
	flagSyn, flagAck, flagFin, flagRst             = 1, 2, 4, 8

	smuxSyn, smuxFin, smuxPsh, smuxNop, smuxUpd = 0, 1, 2, 3, 4
)

func headerSize(p protocol) int {
	if p == kYamux {
		return 12
	}
	return 8
}

func yamuxFrame(kind byte, flags uint16, id, length uint32) []byte {
	frame := make([]byte, 12)
	frame[1] = kind
	binary.BigEndian.PutUint16(frame[2:], flags)
	binary.BigEndian.PutUint32(frame[4:], id)
	binary.BigEndian.PutUint32(frame[8:], length)
	return frame
}

func finFrame(p protocol, id uint32) []byte {
	if p == kYamux {
		return yamuxFrame(yamuxUpdate, flagFin, id, 0)
	}
	frame := []byte{byte(p), smuxFin, 0, 0, 0, 0, 0, 0}
	binary.LittleEndian.PutUint32(frame[4:], id)
	return frame
}

// What follows a header that a library writes by itself.
func bodyToCome(p protocol, header []byte) int {
	if p == kYamux && header[1] == yamuxData {
		return int(binary.BigEndian.Uint32(header[8:]))
	}
	return 0
}

// One stream, as the server has shown it.
type seen struct {
	acknowledged, ended, reset bool
	data                       int
	allowed                    int // smux2: the server may have sent so much in all
}

type inspector struct {
	mutex    sync.Mutex
	protocol protocol
	streams  map[uint32]*seen
	header   []byte
	body     int // still to come of the running frame
	goneAway bool
	error    error
}

func newInspector(p protocol) *inspector {
	return &inspector{protocol: p, streams: map[uint32]*seen{}}
}

func (i *inspector) broken() error {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	return i.error
}

func (i *inspector) stream(id uint32) *seen {
	s := i.streams[id]
	if s == nil {
		s = &seen{allowed: firstWindow}
		i.streams[id] = s
	}
	return s
}

func (i *inspector) hasEnded(id uint32) bool {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	return i.stream(id).ended
}

// Whether the server has said anything on the stream but that it refuses it.
func (i *inspector) isAnswered(id uint32) bool {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	return i.stream(id).acknowledged || i.stream(id).data > 0
}

func (i *inspector) wrong(format string, arguments ...interface{}) {
	if i.error == nil {
		i.error = fmt.Errorf("the server broke the protocol: "+format, arguments...)
	}
}

func (i *inspector) receive(bytes []byte) {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	for len(bytes) > 0 {
		if i.body > 0 {
			skip := smaller(i.body, len(bytes))
			i.body -= skip
			bytes = bytes[skip:]
			continue
		}
		take := smaller(headerSize(i.protocol)-len(i.header), len(bytes))
		i.header = append(i.header, bytes[:take]...)
		bytes = bytes[take:]
		if len(i.header) == headerSize(i.protocol) {
			i.frame(i.header)
			i.header = i.header[:0]
		}
	}
}

func (i *inspector) frame(h []byte) {
	if i.protocol == kYamux {
		i.yamuxFrame(h[0], h[1], binary.BigEndian.Uint16(h[2:]), binary.BigEndian.Uint32(h[4:]),
			binary.BigEndian.Uint32(h[8:]))
		return
	}
	i.body = int(binary.LittleEndian.Uint16(h[2:]))
	i.smuxFrame(h[0], h[1], i.body, binary.LittleEndian.Uint32(h[4:]))
}

func (i *inspector) yamuxFrame(version, kind byte, flags uint16, id, length uint32) {
	if version != 0 || kind > yamuxGoAway {
		i.wrong("a frame of version %d, type %d", version, kind)
	}
	if kind == yamuxGoAway {
		i.goneAway = true
	}
	if kind > yamuxUpdate {
		return
	}
	s := i.stream(id)
	if flags&flagSyn != 0 || id%2 == 0 {
		i.wrong("it opens stream %d", id)
	}
	if flags&flagAck != 0 {
		if s.acknowledged {
			i.wrong("stream %d is acknowledged twice", id)
		}
		s.acknowledged = true
	}
	if kind == yamuxData {
		i.body = int(length)
		i.data(s, id, int(length))
	}
	if flags&flagFin != 0 {
		if !s.acknowledged {
			i.wrong("stream %d is ended and was not acknowledged", id)
		}
		i.end(s, id)
	}
	if flags&flagRst != 0 {
		s.reset = true
	}
}

func (i *inspector) smuxFrame(version, command byte, length int, id uint32) {
	if version != byte(i.protocol) || command > smuxUpd || (command == smuxUpd && i.protocol == kSmux1) {
		i.wrong("a frame of version %d, command %d", version, command)
	}
	isRight := length == 0
	switch command {
	case smuxPsh:
		isRight = length > 0
		i.data(i.stream(id), id, length)
	case smuxFin:
		i.end(i.stream(id), id)
	case smuxUpd:
		isRight = length == 8
	case smuxSyn:
		i.wrong("it opens stream %d", id)
	}
	if !isRight {
		i.wrong("a frame of command %d has %d bytes", command, length)
	}
}

func (i *inspector) data(s *seen, id uint32, size int) {
	s.data += size
	if size > largestFrame {
		i.wrong("stream %d: a frame of %d bytes", id, size)
	}
	if s.ended || s.reset {
		i.wrong("stream %d: data after its end", id)
	}
	if i.protocol == kSmux2 && s.data > s.allowed {
		i.wrong("stream %d: %d bytes, %d were allowed", id, s.data, s.allowed)
	}
}

func (i *inspector) end(s *seen, id uint32) {
	if s.ended {
		i.wrong("stream %d is ended twice", id)
	}
	s.ended = true
}

// What the library is about to write: a window that it opens.
func (i *inspector) sending(bytes []byte, isBody bool) {
	if i.protocol != kSmux2 || isBody || bytes[1] != smuxUpd {
		return
	}
	i.mutex.Lock()
	defer i.mutex.Unlock()
	s := i.stream(binary.LittleEndian.Uint32(bytes[4:]))
	allowed := int(binary.LittleEndian.Uint32(bytes[8:]) + binary.LittleEndian.Uint32(bytes[12:]))
	if allowed > s.allowed {
		s.allowed = allowed
	}
}

func smaller(a, b int) int {
	if a < b {
		return a
	}
	return b
}
