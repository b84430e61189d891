// Sessions as such: pings, silence, dribbled bytes, drain and reload of the server.
package main

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

const tolerableRtt = time.Second // a busy machine; the library gives up after ten

// Answered at once, also while a stream takes all that it can get.
func pings(o *options) (string, error) {
	return withSession(o, func(s *session, p *payload) (string, error) {
		done := make(chan error, 1)
		go func() { done <- visit(s, p, 1, o.size) }()
		var slowest time.Duration
		answered, isBusy := 0, true
		for answered < o.count || isBusy {
			rtt, err := s.yamux.Ping()
			if err != nil || rtt > tolerableRtt {
				return "", fmt.Errorf("ping %d: %v, %v", answered, rtt, err)
			}
			if answered++; rtt > slowest {
				slowest = rtt
			}
			select {
			case err := <-done:
				if isBusy = false; err != nil {
					return "", err
				}
			default:
			}
		}
		return fmt.Sprintf("%d pings, the slowest took %v", answered, slowest), nil
	})
}

// Longer than the library waits for a sign of life, with a stream open.
func silence(o *options) (string, error) {
	return withSession(o, func(s *session, p *payload) (string, error) {
		opened, err := s.open()
		if err != nil {
			return "", err
		}
		if err := p.exchange(opened, 1, 0, 1000); err != nil {
			return "", err
		}
		const span = 7 // of keepalives
		time.Sleep(span * o.keepalive)
		if s.isClosed() {
			return "", fmt.Errorf("the session did not outlive a silence of %v", span*o.keepalive)
		}
		if err := p.exchange(opened, 2, 0, 1000); err != nil {
			return "", err
		}
		return fmt.Sprintf("silent for %v", span*o.keepalive), visit(s, p, 3, 1000)
	})
}

func dribbled(o *options) (string, error) {
	o.dribbles = true
	return many(o)
}

// Streams that are in the middle of an exchange when the server is told to go: each finishes, and
// with the last the server closes the session.
func drained(o *options) (string, error) {
	return withSession(o, func(s *session, p *payload) (string, error) {
		streams := make([]*stream, o.count)
		half := o.size / 2
		for i := range streams {
			var err error
			if streams[i], err = s.open(); err != nil {
				return "", err
			}
			if err := p.exchange(streams[i], i, 0, half); err != nil {
				return "", err
			}
		}
		if err := o.runAtReady(); err != nil {
			return "", err
		}
		look := openInTheDrain
		if s.yamux != nil {
			look = waitUntilRefused
		}
		if err := look(s); err != nil {
			return "", err
		}
		err := inParallel(o.count, o.concurrency, func(i int) error { return finish(p, streams[i], i, half) })
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%d streams finished", o.count), waitUntilClosed(s)
	})
}

func finish(p *payload, s *stream, key, half int) error {
	if err := p.exchange(s, key, half, half); err != nil {
		return fmt.Errorf("in the drain: %w", err)
	}
	if err := s.halfClose(); err != nil {
		return err
	}
	return receiveEnd(s)
}

// Only yamux has a word for it.
func waitUntilRefused(s *session) error {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		opened, err := s.open()
		if err != nil {
			if err.Error() != "remote end is not accepting connections" {
				return fmt.Errorf("open while the server drains: %v", err)
			}
			return nil
		}
		opened.Close()
	}
	return fmt.Errorf("the server takes new streams though it drains")
}

// xtaci/smux has none, so what is opened meanwhile is served as any other.
func openInTheDrain(s *session) error {
	opened, err := s.open()
	if err != nil {
		return err
	}
	defer opened.Close()
	opened.SetDeadline(time.Now().Add(patience))
	if _, err = opened.Write([]byte("x")); err != nil {
		return err
	}
	if _, err = opened.Read(make([]byte, 1)); err != nil {
		return fmt.Errorf("a stream opened while the server drains: %v", err)
	}
	return nil
}

func waitUntilClosed(s *session) error {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if s.isClosed() {
			return nil
		}
	}
	return fmt.Errorf("the server keeps a session without streams though it drains")
}

// Goes on over reloads, with a new session whenever one takes no more streams. A stream on which the
// server has said anything must finish; one that it never took is tried again.
func reloaded(o *options) (string, error) {
	p := newPayload(o.seed)
	made := sizes(o)
	var done, again, sessions, isOver int64
	ready := make(chan error, 1)
	go func() {
		for atomic.LoadInt64(&done) == 0 {
			time.Sleep(time.Millisecond)
		}
		ready <- o.runAtReady()
		atomic.StoreInt64(&isOver, 1)
	}()
	err := inParallel(o.concurrency, o.concurrency, func(worker int) error {
		var s *session
		for i := worker; atomic.LoadInt64(&isOver) == 0 || atomic.LoadInt64(&done) < int64(o.count); {
			if s == nil {
				var err error
				if s, err = connect(o); err != nil {
					return err
				}
				atomic.AddInt64(&sessions, 1)
			}
			wasTaken, err := try(s, p, i, made[i%o.count])
			if broken := s.broken(); broken != nil {
				return broken
			}
			if err != nil && (errors.Is(err, errWrong) || (wasTaken && !o.mayLose)) {
				return fmt.Errorf("a stream that was taken is lost: %w", err)
			}
			if err != nil {
				s.close()
				s = nil
				atomic.AddInt64(&again, 1)
				continue
			}
			i++
			atomic.AddInt64(&done, 1)
		}
		if s != nil {
			s.close()
		}
		return nil
	})
	if err == nil {
		err = <-ready
	}
	return fmt.Sprintf("%d streams, %d of them tried again, %d sessions", done, again, sessions), err
}

// So that a stream is mostly found between its halves.
const thinking = 2 * time.Millisecond

// Whether the server took the stream, and what became of it.
func try(s *session, p *payload, key, size int) (bool, error) {
	opened, err := s.open()
	if err != nil {
		return false, err
	}
	first := (size + 1) / 2
	err = p.exchange(opened, key, 0, first)
	if err == nil {
		time.Sleep(thinking)
		err = p.exchange(opened, key, first, size-first)
	}
	if err != nil {
		return s.wire.seen.isAnswered(opened.id), err
	}
	return true, opened.Close()
}
