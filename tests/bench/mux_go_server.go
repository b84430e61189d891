// What Drover's module mux is measured beside: a server made of the Go libraries hashicorp/yamux and
// xtaci/smux, as Debian packages them. Each stream is answered when its request has come or ended;
// no more is done with it than that.
package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/hashicorp/yamux"
	"github.com/xtaci/smux"
)

type service struct {
	request int64 // bytes of a request; 0: all until its end
	answer  int64 // bytes
	delay   time.Duration
	echoes  bool
}

var block = make([]byte, 64*1024)

func (s *service) serve(stream io.ReadWriteCloser) {
	defer stream.Close()
	if s.echoes {
		io.Copy(stream, stream)
		return
	}
	if !s.takeRequest(stream) {
		return
	}
	if s.delay > 0 {
		time.Sleep(s.delay)
	}
	for left := s.answer; left > 0; {
		part := block
		if left < int64(len(part)) {
			part = part[:left]
		}
		n, err := stream.Write(part)
		if left -= int64(n); err != nil {
			return
		}
	}
}

func (s *service) takeRequest(stream io.Reader) bool {
	size, got := 4096, int64(0)
	if s.request == 0 {
		size = len(block)
	}
	buffer := make([]byte, size)
	for s.request == 0 || got < s.request {
		n, err := stream.Read(buffer)
		got += int64(n)
		if err != nil {
			return err == io.EOF
		}
	}
	return true
}

func (s *service) serveYamux(conn net.Conn) error {
	config := yamux.DefaultConfig()
	config.LogOutput = io.Discard
	config.AcceptBacklog = 1024 // as xtaci/smux has it; beyond it streams are refused
	session, err := yamux.Server(conn, config)
	for err == nil {
		var stream *yamux.Stream
		if stream, err = session.AcceptStream(); err == nil {
			go s.serve(stream)
		}
	}
	return err
}

func (s *service) serveSmux(conn net.Conn, version int) error {
	config := smux.DefaultConfig()
	config.Version = version
	session, err := smux.Server(conn, config)
	for err == nil {
		var stream *smux.Stream
		if stream, err = session.AcceptStream(); err == nil {
			go s.serve(stream)
		}
	}
	return err
}

func main() {
	s := &service{}
	address := flag.String("addr", "127.0.0.1:7007", "to listen at")
	library := flag.String("lib", "yamux", "yamux, smux1 or smux2")
	flag.Int64Var(&s.request, "request", 2727, "bytes of a request (0: all until its end)")
	flag.Int64Var(&s.answer, "answer", 207, "bytes of an answer")
	flag.DurationVar(&s.delay, "delay", 0, "before the answer")
	flag.BoolVar(&s.echoes, "echo", false, "send back what comes, instead")
	flag.Parse()
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if *library == "yamux" {
			go s.serveYamux(conn)
		} else {
			go s.serveSmux(conn, int((*library)[4]-'0'))
		}
	}
}
