/* SPDX-License-Identifier: ISC */

// tunnelclient stands in for the existing Go tunnel client in tests and
// benchmarks. It uses the same two libraries and behaves on the wire as
// tunnel-protocol.md says the existing one was seen to behave, defects
// included: the ping loop (-keepalive 30ns), streams accepted only after
// provisioning (-provision-delay 20s), a half-close that ends a stream.
//
// It prints one JSON object per event on standard output, so that a test can
// wait for what it needs instead of sleeping.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
)

type options struct {
	url, key, secret, node string
	services               string
	keys                   string
	tlsInsecure            bool
	provisionDelay         time.Duration
	keepalive              time.Duration
	reconnect              time.Duration
	maxReconnect           time.Duration
	once                   bool
	diagnostics            string
	users                  string
	tunnels, parallel      int
	sources                int
	again, jitter          bool
	manifest               string
	stdin                  bool
	quiet                  bool
}

type event map[string]interface{}

var (
	out   sync.Mutex
	start = time.Now()
)

// emit prints one event; t is in seconds since the program started.
func emit(name string, e event) {
	if e == nil {
		e = event{}
	}
	e["event"] = name
	e["t"] = float64(time.Since(start).Microseconds()) / 1e6
	b, err := json.Marshal(e)
	if err != nil {
		fmt.Fprintln(os.Stderr, "tunnelclient:", err)
		return
	}
	out.Lock()
	defer out.Unlock()
	os.Stdout.Write(append(b, '\n'))
}

func parseFlags() *options {
	o := &options{}
	flag.StringVar(&o.url, "url", "", "tunnel `URL` (ws or wss)")
	flag.StringVar(&o.key, "key", "", "system `key`")
	flag.StringVar(&o.secret, "secret", "", "system `secret`")
	flag.StringVar(&o.node, "node", "", "node `id`")
	flag.StringVar(&o.services, "services", "",
		"static services, name=host:port[:host=name][:tls],...")
	flag.StringVar(&o.keys, "keys", "",
		"`file` of \"key secret [node]\" lines, one per tunnel")
	flag.BoolVar(&o.tlsInsecure, "tls-insecure", false,
		"do not check the server's certificate")
	flag.DurationVar(&o.provisionDelay, "provision-delay", 0,
		"time between diagnostics and accepting streams")
	flag.DurationVar(&o.keepalive, "keepalive", 30*time.Second,
		"yamux ping interval; 30ns is the existing client's loop")
	flag.DurationVar(&o.reconnect, "reconnect-delay", 5*time.Second,
		"first delay before a new attempt")
	flag.DurationVar(&o.maxReconnect, "max-reconnect-delay", 5*time.Minute,
		"longest delay before a new attempt")
	flag.BoolVar(&o.once, "once", false, "do not reconnect")
	flag.StringVar(&o.diagnostics, "diagnostics", "default",
		"default, none, or a `file` with the JSON to send")
	flag.StringVar(&o.users, "users", "none",
		"none, report, fetch (then report), or a `file` with the JSON")
	flag.IntVar(&o.tunnels, "tunnels", 1, "tunnels to hold at once")
	flag.IntVar(&o.parallel, "parallel", 1,
		"with -tunnels, handshakes under way at once")
	flag.IntVar(&o.sources, "sources", 0,
		"with -tunnels, dial from so many addresses of 127/8")
	flag.BoolVar(&o.again, "again", false,
		"with -tunnels, bring lost ones back")
	flag.BoolVar(&o.jitter, "jitter", false,
		"with -again, move each delay by up to a fifth and mind "+
			"Retry-After, as relayd's client does")
	flag.StringVar(&o.manifest, "manifest", "",
		"`file` whose bytes are sent as manifest, whatever they are")
	flag.BoolVar(&o.stdin, "stdin", false,
		"take orders from standard input, see order.go")
	flag.BoolVar(&o.quiet, "quiet", false, "no event per stream")
	flag.Parse()
	if o.url == "" || (o.key == "" && o.keys == "") {
		flag.Usage()
		os.Exit(1)
	}
	return o
}

type slot struct{ key, secret, node string }

// readKeys reads the slots of -keys.
func readKeys(file string) ([]slot, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var slots []slot
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		w := strings.Fields(sc.Text())
		switch len(w) {
		case 0:
		case 2:
			slots = append(slots, slot{w[0], w[1], ""})
		case 3:
			slots = append(slots, slot{w[0], w[1], w[2]})
		default:
			return nil, fmt.Errorf("%s: bad line", file)
		}
	}
	return slots, sc.Err()
}

func main() {
	o := parseFlags()
	slots := []slot{{o.key, o.secret, o.node}}
	if o.keys != "" {
		var err error
		if slots, err = readKeys(o.keys); err != nil {
			fmt.Fprintln(os.Stderr, "tunnelclient:", err)
			os.Exit(1)
		}
	}
	sig := make(chan os.Signal, 1)
	signal.Notify(sig, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		// as seen: TCP is closed, no close frame
		<-sig
		emit("exit", event{"status": 0, "why": "signal"})
		os.Exit(0)
	}()
	if o.tunnels > 1 || o.keys != "" {
		if len(slots) < o.tunnels {
			fmt.Fprintln(os.Stderr, "tunnelclient: not enough keys")
			os.Exit(1)
		}
		o.quiet = true
		holdMany(o, slots)
	}
	c := newClient(o, slots[0])
	if o.stdin {
		go c.orders()
	}
	os.Exit(c.run())
}
