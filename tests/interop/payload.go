// Bytes that are known by their place: a stream that loses, repeats or swaps some, or gets those of
// another, is found out. And the exchange: what is sent is what must come back.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"time"
)

var errWrong = errors.New("wrong bytes")

const tableSize = 1048573 // a prime: no block that a server works in divides it

type payload struct{ table []byte }

func newPayload(seed int64) *payload {
	table := make([]byte, tableSize)
	rand.New(rand.NewSource(seed)).Read(table)
	return &payload{table}
}

// The bytes of a stream from `offset` on; fewer than `size` at the end of the table.
func (p *payload) at(key, offset, size int) []byte {
	begin := (key*7919 + offset) % tableSize
	return p.table[begin:smaller(begin+size, tableSize)]
}

func (p *payload) send(to io.Writer, key, offset, size int) error {
	for sent := 0; sent < size; {
		n, err := to.Write(p.at(key, offset+sent, smaller(65536, size-sent)))
		sent += n
		if err != nil {
			return fmt.Errorf("%d of %d bytes sent: %w", sent, size, err)
		}
	}
	return nil
}

// Exactly `size` bytes, from `offset` of the stream on.
func (p *payload) receive(from io.Reader, key, offset, size int) error {
	buffer := make([]byte, smaller(65536, size))
	for got := 0; got < size; {
		n, err := from.Read(buffer[:smaller(len(buffer), size-got)])
		if wrong := p.compare(buffer[:n], key, offset+got); wrong >= 0 {
			return fmt.Errorf("%w from byte %d on", errWrong, wrong)
		}
		got += n
		if err != nil && got < size {
			return fmt.Errorf("%d of %d bytes received: %w", got, size, err)
		}
	}
	return nil
}

// The place of the first that is wrong, -1 when none is.
func (p *payload) compare(got []byte, key, offset int) int {
	for len(got) > 0 {
		want := p.at(key, offset, len(got))
		if !bytes.Equal(got[:len(want)], want) {
			return offset
		}
		got, offset = got[len(want):], offset+len(want)
	}
	return -1
}

// And then nothing but the end.
func receiveEnd(from io.Reader) error {
	n, err := from.Read(make([]byte, 1))
	if n != 0 || err != io.EOF {
		return fmt.Errorf("instead of the end came %d bytes and %v", n, err)
	}
	return nil
}

// Sends and receives at the same time, from `offset` of the stream on.
func (p *payload) exchange(s *stream, key, offset, size int) error {
	s.SetDeadline(time.Now().Add(patience))
	sent := make(chan error, 1)
	go func() { sent <- p.send(s, key, offset, size) }()
	if err := p.receive(s, key, offset, size); err != nil {
		return fmt.Errorf("stream %d: %w", s.id, err)
	}
	return <-sent
}

// do(0) ... do(n-1), so many at once; the first error.
func inParallel(n, atOnce int, do func(i int) error) error {
	turns := make(chan int)
	errors := make(chan error, atOnce)
	for k := 0; k < atOnce; k++ {
		go func() {
			for i := range turns {
				if err := do(i); err != nil {
					errors <- err
					return
				}
			}
			errors <- nil
		}()
	}
	var first error
	left := atOnce
	for i := 0; i < n && first == nil; i++ {
		select {
		case turns <- i:
		case first = <-errors:
			left--
		}
	}
	close(turns)
	for ; left > 0 && first == nil; left-- {
		first = <-errors
	}
	return first
}
