// Streams as such: many, a large one, the ways in which they end, a slow one beside others.
package main

import (
	"fmt"
	"math/rand"
	"sync"
	"sync/atomic"
	"time"
)

// Opens a session for `work`, and then looks whether all frames were right.
func withSession(o *options, work func(s *session, p *payload) (string, error)) (string, error) {
	s, err := connect(o)
	if err != nil {
		return "", err
	}
	defer s.close()
	said, err := work(s, newPayload(o.seed))
	if broken := s.broken(); broken != nil {
		return "", broken
	}
	return said, err
}

func sizes(o *options) []int {
	random := rand.New(rand.NewSource(o.seed))
	made := make([]int, o.count)
	for i := range made {
		made[i] = 1 + random.Intn(o.size)
	}
	return made
}

// A stream's whole life in the way in which these libraries' users spend it.
func visit(s *session, p *payload, key, size int) error {
	opened, err := s.open()
	if err != nil {
		return err
	}
	if err := p.exchange(opened, key, 0, size); err != nil {
		return err
	}
	if err := opened.Close(); err != nil {
		return err
	}
	return opened.waitForEnd()
}

func many(o *options) (string, error) {
	return withSession(o, func(s *session, p *payload) (string, error) {
		made, total := sizes(o), 0
		for _, size := range made {
			total += size
		}
		err := inParallel(o.count, o.concurrency, func(i int) error { return visit(s, p, i, made[i]) })
		if err == nil && s.yamux != nil && s.yamux.NumStreams() != 0 {
			err = fmt.Errorf("the library keeps %d streams", s.yamux.NumStreams())
		}
		return fmt.Sprintf("%d streams, %d bytes", o.count, total), err
	})
}

func large(o *options) (string, error) {
	return withSession(o, func(s *session, p *payload) (string, error) {
		return fmt.Sprintf("%d bytes", o.size), visit(s, p, 1, o.size)
	})
}

// Our end follows our last byte at once, while nearly all of the answer is still to come.
func endEarly(s *session, p *payload, key, size int) error {
	opened, err := s.open()
	if err != nil {
		return err
	}
	defer opened.Close()
	opened.SetDeadline(time.Now().Add(patience))
	sent := make(chan error, 1)
	go func() {
		err := p.send(opened, key, 0, size)
		if err == nil {
			err = opened.halfClose()
		}
		sent <- err
	}()
	if err := p.receive(opened, key, 0, size); err != nil {
		return fmt.Errorf("stream %d: %w", opened.id, err)
	}
	if err := <-sent; err != nil {
		return err
	}
	return receiveEnd(opened)
}

func halfCloseEarly(o *options) (string, error) {
	return withSession(o, func(s *session, p *payload) (string, error) {
		made := sizes(o)
		made[0] = 0 // nothing but an end
		err := inParallel(o.count, o.concurrency, func(i int) error { return endEarly(s, p, i, made[i]) })
		return fmt.Sprintf("%d streams", o.count), err
	})
}

// Our end comes when the whole answer is there: the server's must follow.
func halfCloseLate(o *options) (string, error) {
	return withSession(o, func(s *session, p *payload) (string, error) {
		made := sizes(o)
		err := inParallel(o.count, o.concurrency, func(i int) error {
			opened, err := s.open()
			if err != nil {
				return err
			}
			defer opened.Close()
			if err := p.exchange(opened, i, 0, made[i]); err != nil {
				return err
			}
			if err := opened.halfClose(); err != nil {
				return err
			}
			return receiveEnd(opened)
		})
		return fmt.Sprintf("%d streams", o.count), err
	})
}

// Streams that are opened, written to and closed, and nobody reads what is answered; others must
// not notice.
func abandoned(o *options) (string, error) {
	return withSession(o, func(s *session, p *payload) (string, error) {
		err := inParallel(o.count, o.concurrency, func(i int) error {
			if i%2 == 0 {
				return visit(s, p, i, 1000)
			}
			opened, err := s.open()
			if err != nil {
				return err
			}
			opened.SetDeadline(time.Now().Add(patience))
			if err := p.send(opened, i, 0, o.size); err != nil {
				return err
			}
			return opened.Close()
		})
		return fmt.Sprintf("%d streams, half of them abandoned", o.count), err
	})
}

// yamux: streams that are broken off with a full window both ways, and written to after that.
func resetByClient(o *options) (string, error) {
	return withSession(o, func(s *session, p *payload) (string, error) {
		err := inParallel(o.count, o.concurrency, func(i int) error {
			opened, err := s.open()
			if err != nil {
				return err
			}
			opened.SetDeadline(time.Now().Add(200 * time.Millisecond))
			p.send(opened, i, 0, 4<<20) // until it stalls
			if err := s.wire.inject(yamuxFrame(yamuxUpdate, flagRst, opened.id, 0)); err != nil {
				return err
			}
			s.wire.inject(append(yamuxFrame(yamuxData, 0, opened.id, 5), "later"...))
			return visit(s, p, i, 1000)
		})
		return fmt.Sprintf("%d streams reset", o.count), err
	})
}

// A stream that is written to and not read, beside others that are: they go on, and it loses
// nothing.
func slowReader(o *options) (string, error) {
	return withSession(o, func(s *session, p *payload) (string, error) {
		slow, err := s.open()
		if err != nil {
			return "", err
		}
		slow.SetDeadline(time.Now().Add(2 * patience))
		sent := make(chan error, 1)
		go func() { sent <- p.send(slow, -1+tableSize, 0, o.size) }()

		var slowest int64
		var mutex sync.Mutex
		err = inParallel(o.count, o.concurrency, func(i int) error {
			start := time.Now()
			err := visit(s, p, i, 5000)
			mutex.Lock()
			defer mutex.Unlock()
			if took := int64(time.Since(start)); took > slowest {
				atomic.StoreInt64(&slowest, took)
			}
			return err
		})
		if err != nil {
			return "", err
		}
		if err := p.receive(slow, -1+tableSize, 0, o.size); err != nil {
			return "", err
		}
		return fmt.Sprintf("%d streams beside it, the slowest in %v", o.count,
			time.Duration(slowest).Round(time.Millisecond)), <-sent
	})
}
