/* SPDX-License-Identifier: ISC */

// yamuxpeer is hashicorp/yamux over gorilla/websocket, for the test of
// common/yamux/yamux.c against it (regress/interop/yamux.t, yamux_peer.c).
//
//	yamuxpeer [-connect port] [-role mix|open|backlog|pings|bulk] [...]
//	yamuxpeer -delay 50ms -connect port
//
// Without -connect it listens, as yamux server, and prints "port N". Each
// stream begins with one byte that says what the acceptor does:
//
//	E  send everything back, FIN after FIN
//	H  read to FIN, then send its SHA-256 and FIN: a half-close
//	S  after 8 more bytes, a length: send so much, its SHA-256, FIN
//	R  reset, in C only; here it closes without reading
//	W  read nothing until a G stream names this one, then as H
//	G  after 4 more bytes, a stream id: let that go on; answer one byte
//	N  read to FIN, then send the number of bytes (8): for speed
//	D  "I open no more": answer one byte
//
// The last line is a JSON object of counters.
package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"github.com/hashicorp/yamux"

	"relayd.test/interop/wsconn"
)

var (
	connect   = flag.Int("connect", 0, "port to connect to; 0: listen")
	role      = flag.String("role", "mix", "what to do")
	total     = flag.Int("n", 1000, "streams to open")
	parallel  = flag.Int("par", 64, "of these at once")
	keepalive = flag.Duration("keepalive", 0, "own pings, as set in yamux")
	seconds   = flag.Duration("for", 5*time.Second, "length of bulk")
	delay     = flag.Duration("delay", 0, "be a delay line")
)

// result is what is printed at the end.
type result struct {
	Opened   int64   `json:"opened"`
	Good     int64   `json:"good"`
	Bad      int64   `json:"bad"`
	Accepted int64   `json:"accepted"`
	Resets   int64   `json:"resets"`
	Refused  int64   `json:"refused"`
	Rtt      float64 `json:"rtt_ms"`
	NoOpen   bool    `json:"goaway_stops_open"`
	Rate     float64 `json:"mb_per_s"`
	Error    string  `json:"error"`
}

type peer struct {
	s      *yamux.Session
	logs   *logWriter
	res    result
	mu     sync.Mutex
	wait   map[uint32]chan struct{} // W streams
	done   chan struct{}            // the other opens no more
	failed atomic.Value
}

// logWriter keeps what yamux logs: errors there are faults of somebody.
type logWriter struct {
	mu    sync.Mutex
	lines []string
}

func (l *logWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if strings.Contains(string(p), "[ERR]") && len(l.lines) < 20 {
		l.lines = append(l.lines, strings.TrimSpace(string(p)))
	}
	return len(p), nil
}

func (p *peer) bad(format string, a ...any) {
	atomic.AddInt64(&p.res.Bad, 1)
	p.failed.CompareAndSwap(nil, fmt.Sprintf(format, a...))
}

func main() {
	flag.Parse()
	log.SetFlags(0)
	if *delay > 0 {
		delayLine()
		return
	}
	logs := &logWriter{}
	cf := yamux.DefaultConfig()
	cf.LogOutput = logs
	cf.EnableKeepAlive = *keepalive > 0
	if cf.EnableKeepAlive {
		cf.KeepAliveInterval = *keepalive
	}
	cf.ConnectionWriteTimeout = 30 * time.Second
	if *role == "open" {
		cf.AcceptBacklog = 1024 // also the opens it lets wait
	}
	p := &peer{logs: logs, wait: map[uint32]chan struct{}{},
		done: make(chan struct{})}
	var err error
	if *connect != 0 {
		p.s, err = yamux.Client(dial(*connect), cf)
	} else {
		p.s, err = yamux.Server(listen(), cf)
	}
	if err != nil {
		log.Fatal(err)
	}
	switch *role {
	case "mix":
		go p.acceptAll()
		p.mix()
	case "open":
		p.openMany(300)
	case "backlog":
		// Reads its orders: accepts nothing until a line comes.
		bufio.NewReader(os.Stdin).ReadString('\n')
		p.acceptAll()
	case "bulk":
		p.bulk()
	case "pings":
		p.acceptAll()
	}
	p.finish()
}

func (p *peer) finish() {
	if e, ok := p.failed.Load().(string); ok {
		p.res.Error = e
	}
	p.logs.mu.Lock()
	if len(p.logs.lines) > 0 && p.res.Error == "" {
		p.res.Error = strings.Join(p.logs.lines, "; ")
	}
	p.logs.mu.Unlock()
	json.NewEncoder(os.Stdout).Encode(&p.res)
	p.s.Close()
}

func dial(port int) net.Conn {
	d := websocket.Dialer{HandshakeTimeout: 10 * time.Second}
	c, _, err := d.Dial(fmt.Sprintf("ws://127.0.0.1:%d/", port), nil)
	if err != nil {
		log.Fatal(err)
	}
	return wsconn.New(c)
}

func listen() net.Conn {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("port %d\n", l.Addr().(*net.TCPAddr).Port)
	ch := make(chan net.Conn)
	up := websocket.Upgrader{}
	go http.Serve(l, http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			c, err := up.Upgrade(w, r, nil)
			if err != nil {
				log.Fatal(err)
			}
			ch <- wsconn.New(c)
		}))
	return <-ch
}

// Accepting.

func (p *peer) acceptAll() {
	for {
		st, err := p.s.AcceptStream()
		if err != nil {
			return
		}
		atomic.AddInt64(&p.res.Accepted, 1)
		go p.accepted(st)
	}
}

func (p *peer) accepted(st *yamux.Stream) {
	defer st.Close()
	if err := p.serve(st); errors.Is(err, yamux.ErrConnectionReset) {
		atomic.AddInt64(&p.res.Resets, 1)
	} else if err != nil && !p.s.IsClosed() {
		p.bad("accepted %d: %v", st.StreamID(), err)
	}
}

func (p *peer) serve(st *yamux.Stream) error {
	var cmd [9]byte
	if _, err := io.ReadFull(st, cmd[:1]); err != nil {
		return err
	}
	switch cmd[0] {
	case 'E':
		_, err := io.Copy(st, st)
		return err
	case 'W':
		<-p.released(st.StreamID())
		fallthrough
	case 'H':
		h := sha256.New()
		if _, err := io.Copy(h, st); err != nil {
			return err
		}
		_, err := st.Write(h.Sum(nil))
		return err
	case 'S':
		if _, err := io.ReadFull(st, cmd[1:]); err != nil {
			return err
		}
		return source(st, int64(binary.BigEndian.Uint64(cmd[1:])))
	case 'G':
		if _, err := io.ReadFull(st, cmd[1:5]); err != nil {
			return err
		}
		close(p.released(binary.BigEndian.Uint32(cmd[1:5])))
		_, err := st.Write([]byte{'g'})
		return err
	case 'N':
		n, err := io.Copy(io.Discard, st)
		if err != nil {
			return err
		}
		binary.BigEndian.PutUint64(cmd[1:], uint64(n))
		_, err = st.Write(cmd[1:])
		return err
	case 'D':
		_, err := st.Write([]byte{'d'})
		close(p.done)
		return err
	case 'R':
		return nil
	}
	return fmt.Errorf("unknown order %q", cmd[0])
}

func (p *peer) released(id uint32) chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wait[id] == nil {
		p.wait[id] = make(chan struct{})
	}
	return p.wait[id]
}

func source(w io.Writer, n int64) error {
	h := sha256.New()
	r := io.LimitReader(rand.New(rand.NewSource(n)), n)
	if _, err := io.Copy(io.MultiWriter(w, h), r); err != nil {
		return err
	}
	_, err := w.Write(h.Sum(nil))
	return err
}

// Opening.

var sizes = []int64{0, 1, 100, 5000, 70000, 262144, 262145, 600000}

func (p *peer) mix() {
	if d, err := p.s.Ping(); err != nil {
		p.bad("ping: %v", err)
	} else {
		p.res.Rtt = float64(d) / float64(time.Millisecond)
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, *parallel)
	for i := 0; i < *total; i++ {
		slots <- struct{}{}
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			defer func() { <-slots }()
			p.one(i)
		}(i)
	}
	wg.Wait()
	p.order('D')
	select {
	case <-p.done:
	case <-p.s.CloseChan():
		p.bad("session ended early")
	}
	// Nothing is opened once go-away has come; ours makes theirs.
	p.s.GoAway()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		st, err := p.s.OpenStream()
		if errors.Is(err, yamux.ErrRemoteGoAway) {
			p.res.NoOpen = true
			break
		} else if err != nil {
			break
		}
		st.Close()
		time.Sleep(5 * time.Millisecond)
	}
}

func (p *peer) one(i int) {
	kinds := "EHSEHRSEHW"
	kind := kinds[i%len(kinds)]
	if kind == 'W' && i%50 != 9 {
		kind = 'H'
	}
	st, err := p.s.OpenStream()
	if err != nil {
		p.bad("open: %v", err)
		return
	}
	defer st.Close()
	atomic.AddInt64(&p.res.Opened, 1)
	size := sizes[i/len(kinds)%len(sizes)]
	switch err := p.exchange(st, kind, size); {
	case kind == 'R' && errors.Is(err, yamux.ErrConnectionReset):
		atomic.AddInt64(&p.res.Resets, 1)
		atomic.AddInt64(&p.res.Good, 1)
	case err != nil || kind == 'R':
		p.bad("stream %d, %c %d: %v", st.StreamID(), kind, size, err)
	default:
		atomic.AddInt64(&p.res.Good, 1)
	}
}

func (p *peer) exchange(st *yamux.Stream, kind byte, size int64) error {
	if _, err := st.Write([]byte{kind}); err != nil {
		return err
	}
	sent, got := sha256.New(), sha256.New()
	body := io.LimitReader(rand.New(rand.NewSource(size)), size)
	switch kind {
	case 'E':
		ch := make(chan error, 1)
		go func() {
			_, err := io.Copy(io.MultiWriter(st, sent), body)
			st.Close()
			ch <- err
		}()
		n, err := io.Copy(got, st)
		if err2 := <-ch; err2 != nil {
			return err2
		}
		return same(err, n == size && string(got.Sum(nil)) ==
			string(sent.Sum(nil)))
	case 'H', 'W':
		if kind == 'W' {
			// The window fills, then somebody else opens it.
			n := int64(262143)
			body = io.LimitReader(rand.New(rand.NewSource(n)), n)
			if _, err := io.Copy(io.MultiWriter(st, sent), body); err != nil {
				return err
			}
			if err := p.release(st.StreamID()); err != nil {
				return err
			}
			body = io.LimitReader(rand.New(rand.NewSource(1)), size)
		}
		if _, err := io.Copy(io.MultiWriter(st, sent), body); err != nil {
			return err
		}
		st.Close()
		sum, err := io.ReadAll(st)
		return same(err, string(sum) == string(sent.Sum(nil)))
	case 'S':
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], uint64(size))
		st.Write(b[:])
		if _, err := io.CopyN(got, st, size); err != nil {
			return err
		}
		sum, err := io.ReadAll(st)
		return same(err, string(sum) == string(got.Sum(nil)))
	case 'R':
		_, err := io.ReadAll(st)
		return err
	}
	return errors.New("unknown kind")
}

func same(err error, good bool) error {
	if err == nil && !good {
		return errors.New("other bytes than were sent")
	}
	return err
}

func (p *peer) release(id uint32) error {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], id)
	return p.order('G', b[:]...)
}

// order opens a stream for a message with an answer of one byte.
func (p *peer) order(what byte, more ...byte) error {
	st, err := p.s.OpenStream()
	if err != nil {
		return err
	}
	defer st.Close()
	if _, err := st.Write(append([]byte{what}, more...)); err != nil {
		return err
	}
	_, err = io.ReadFull(st, make([]byte, 1))
	return err
}

// openMany opens n streams at once and holds those that are accepted.
func (p *peer) openMany(n int) {
	var wg sync.WaitGroup
	hold := make(chan struct{})
	var answered int64
	for i := 0; i < n; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			st, err := p.s.OpenStream()
			if err != nil {
				p.bad("open: %v", err)
				return
			}
			defer st.Close()
			// The echo of a byte shows that it was accepted.
			b := []byte{'E', 'x'}
			_, err = st.Write(b)
			if err == nil {
				_, err = io.ReadFull(st, b[:1])
			}
			if atomic.AddInt64(&answered, 1) == int64(n) {
				close(hold)
			}
			if errors.Is(err, yamux.ErrConnectionReset) {
				atomic.AddInt64(&p.res.Refused, 1)
			} else if err != nil {
				p.bad("held stream: %v", err)
			} else {
				atomic.AddInt64(&p.res.Good, 1)
			}
			<-hold
		}()
	}
	wg.Wait()
	// The connection lives.
	if _, err := p.s.Ping(); err != nil {
		p.bad("ping: %v", err)
	}
}

// bulk sends as much as it can for a while.
func (p *peer) bulk() {
	st, err := p.s.OpenStream()
	if err != nil {
		log.Fatal(err)
	}
	st.Write([]byte{'N'})
	buf := make([]byte, 32*1024)
	start := time.Now()
	var sent int64
	for time.Since(start) < *seconds {
		n, err := st.Write(buf)
		sent += int64(n)
		if err != nil {
			p.bad("bulk: %v", err)
			return
		}
	}
	st.Close()
	var b [8]byte
	if _, err := io.ReadFull(st, b[:]); err != nil {
		p.bad("bulk: %v", err)
	}
	if got := int64(binary.BigEndian.Uint64(b[:])); got != sent {
		p.bad("sent %d, counted %d", sent, got)
	}
	p.res.Rate = float64(sent) / 1e6 / time.Since(start).Seconds()
}
