// A client of the module mux made of the Go libraries that it is to serve: hashicorp/yamux and
// xtaci/smux (versions 1 and 2), as Debian packages them. One run is one case against a server that
// echoes every stream: each byte that comes back is checked, and so is every frame (frames.go).
// Prints one line; the exit status is 0 only when all was right.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"sort"
	"strings"
	"time"
)

type options struct {
	address     string
	library     string
	count       int // streams, or exchanges, of the case
	size        int // bytes of one, at most
	concurrency int
	seed        int64
	keepalive   time.Duration // ours; what the library's is otherwise
	atReady     string        // a shell command, run when the case has its streams open
	mayLose     bool          // a stream that was taken may be lost, but gives no wrong byte
	dribbles    bool          // a byte at a time, both ways
}

// What a case gives when all was right: a few words for the line.
type testCase func(o *options) (string, error)

var cases = map[string]testCase{
	"many":      many,
	"large":     large,
	"early":     halfCloseEarly,
	"late":      halfCloseLate,
	"abandoned": abandoned,
	"reset":     resetByClient,
	"slow":      slowReader,
	"ping":      pings,
	"silence":   silence,
	"dribble":   dribbled,
	"drain":     drained,
	"reload":    reloaded,
}

func (o *options) runAtReady() error {
	if o.atReady == "" {
		return nil
	}
	said, err := exec.Command("sh", "-c", o.atReady).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %v: %s", o.atReady, err, said)
	}
	return nil
}

func names() string {
	all := []string{}
	for name := range cases {
		all = append(all, name)
	}
	sort.Strings(all)
	return strings.Join(all, " ")
}

func main() {
	o := &options{}
	flag.StringVar(&o.address, "addr", "127.0.0.1:7007", "the server")
	flag.StringVar(&o.library, "lib", "yamux", "yamux, smux1 or smux2")
	name := flag.String("case", "many", names())
	flag.IntVar(&o.count, "n", 100, "streams or exchanges")
	flag.IntVar(&o.size, "size", 20000, "bytes of a stream, at most")
	flag.IntVar(&o.concurrency, "concurrent", 100, "streams at once")
	flag.Int64Var(&o.seed, "seed", 1, "of sizes and bytes")
	flag.DurationVar(&o.keepalive, "keepalive", 0, "ours (0: the library's)")
	flag.StringVar(&o.atReady, "at-ready", "", "shell command to run in the middle of the case")
	flag.BoolVar(&o.mayLose, "may-lose", false, "reload: try again what was lost, too")
	timeout := flag.Duration("timeout", 20*time.Second, "of the whole run")
	flag.Parse()

	run, known := cases[*name]
	if !known {
		fmt.Fprintf(os.Stderr, "no case %s; there are: %s\n", *name, names())
		os.Exit(2)
	}
	debug.SetTraceback("all")
	time.AfterFunc(*timeout, func() { panic("the case did not end in time") })

	start := time.Now()
	said, err := run(o)
	took := time.Since(start).Round(time.Millisecond)
	if err != nil {
		fmt.Printf("%s %s: FAILED after %v: %v\n", o.library, *name, took, err)
		os.Exit(1)
	}
	fmt.Printf("%s %s: ok in %v: %s\n", o.library, *name, took, said)
}
