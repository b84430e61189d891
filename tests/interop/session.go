// A session of one of the libraries and its streams, under one face.
package main

import (
	"fmt"
	"io"
	"net"
	"time"

	"github.com/hashicorp/yamux"
	"github.com/xtaci/smux"
)

const patience = 10 * time.Second

type stream struct {
	net.Conn
	id   uint32
	wire *wire
}

type session struct {
	wire  *wire
	yamux *yamux.Session // one of the two
	smux  *smux.Session
}

func connect(o *options) (*session, error) {
	conn, err := net.Dial("tcp", o.address)
	if err != nil {
		return nil, err
	}
	s := &session{}
	switch o.library {
	case "yamux":
		s.wire = newWire(conn, kYamux, o.dribbles)
		s.yamux, err = yamux.Client(s.wire, yamuxConfig(o))
	case "smux1", "smux2":
		version := int(o.library[4] - '0')
		s.wire = newWire(conn, kSmux1+protocol(version-1), o.dribbles)
		s.smux, err = smux.Client(s.wire, smuxConfig(o, version))
	default:
		err = fmt.Errorf("no library %s", o.library)
	}
	return s, err
}

// The library drops the session when a ping is not answered for three of its intervals.
func yamuxConfig(o *options) *yamux.Config {
	config := yamux.DefaultConfig()
	config.LogOutput = io.Discard
	if o.keepalive != 0 {
		config.KeepAliveInterval = o.keepalive
		config.ConnectionWriteTimeout = 3 * o.keepalive
	}
	return config
}

// The library drops the session when it has heard nothing for three of its intervals.
func smuxConfig(o *options, version int) *smux.Config {
	config := smux.DefaultConfig()
	config.Version = version
	if o.keepalive != 0 {
		config.KeepAliveInterval = o.keepalive
		config.KeepAliveTimeout = 3 * o.keepalive
	}
	return config
}

func (s *session) open() (*stream, error) {
	if s.yamux != nil {
		opened, err := s.yamux.OpenStream()
		if err != nil {
			return nil, err
		}
		return &stream{opened, opened.StreamID(), s.wire}, nil
	}
	opened, err := s.smux.OpenStream()
	if err != nil {
		return nil, err
	}
	return &stream{opened, opened.ID(), s.wire}, nil
}

func (s *session) close() {
	if s.yamux != nil {
		s.yamux.Close()
		return
	}
	s.smux.Close()
}

func (s *session) isClosed() bool {
	if s.yamux != nil {
		return s.yamux.IsClosed()
	}
	return s.smux.IsClosed() || s.wire.hasFailed()
}

// The first rule that the server has broken, all in all.
func (s *session) broken() error { return s.wire.seen.broken() }

// The end of our half only. Neither of the libraries can say it and go on reading in the versions
// that Debian has, but their later ones can, and other clients: so the frame is put on the wire
// behind the library's back.
func (s *stream) halfClose() error { return s.wire.inject(finFrame(s.wire.protocol, s.id)) }

// Until the server has ended its half.
func (s *stream) waitForEnd() error {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if s.wire.seen.hasEnded(s.id) {
			return nil
		}
	}
	return fmt.Errorf("stream %d: the server has not ended it", s.id)
}
