// The connection below a library: it shows what comes to the inspector, lets frames be added between
// those of the library, and can dribble.
package main

import (
	"net"
	"sync"
	"sync/atomic"
)

type wire struct {
	net.Conn
	protocol protocol
	dribbles bool
	seen     *inspector
	failed   int32

	mutex    sync.Mutex
	bodyLeft int    // of the frame that the library is writing
	waiting  []byte // our frames, for when it has written it
}

func newWire(conn net.Conn, p protocol, dribbles bool) *wire {
	return &wire{Conn: conn, protocol: p, dribbles: dribbles, seen: newInspector(p)}
}

func (w *wire) hasFailed() bool { return atomic.LoadInt32(&w.failed) != 0 }

func (w *wire) Read(into []byte) (int, error) {
	if w.dribbles && len(into) > 1 {
		into = into[:1]
	}
	n, err := w.Conn.Read(into)
	w.seen.receive(into[:n])
	if err != nil {
		atomic.StoreInt32(&w.failed, 1)
	}
	return n, err
}

// xtaci/smux writes whole frames; yamux writes a header, and its body in writes of its own.
func (w *wire) Write(from []byte) (int, error) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.seen.sending(from, w.bodyLeft > 0)
	n, err := w.put(from)
	if w.bodyLeft > 0 {
		w.bodyLeft -= n
	} else {
		w.bodyLeft = bodyToCome(w.protocol, from)
	}
	if err == nil && w.bodyLeft == 0 && len(w.waiting) > 0 {
		_, err = w.put(w.waiting)
		w.waiting = nil
	}
	return n, err
}

func (w *wire) inject(frame []byte) error {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.bodyLeft > 0 {
		w.waiting = append(w.waiting, frame...)
		return nil
	}
	_, err := w.put(frame)
	return err
}

// Go has TCP_NODELAY on: each of the bytes is a segment of its own.
func (w *wire) put(from []byte) (int, error) {
	if !w.dribbles {
		return w.Conn.Write(from)
	}
	for i := range from {
		if n, err := w.Conn.Write(from[i : i+1]); err != nil {
			return i + n, err
		}
	}
	return len(from), nil
}
