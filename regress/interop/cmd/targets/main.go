/* SPDX-License-Identifier: ISC */

// targets is the service behind the tunnel in tests: a web server with good
// and bad manners, and a TCP echo. Everything listens on 127.0.0.1, on free
// ports unless told otherwise; the ports are printed as one JSON line.
//
//	GET  /bytes?n=N&seed=S   N pseudo-random bytes; X-SHA256 tells their sum
//	                         (sum=no leaves it out: it takes time to make)
//	POST /sha                sum and length of the body, as JSON
//	POST /discard            reads the body, tells its length, as JSON
//	any  /echo               the request head as JSON
//	any  /headers?Name=V     answers with these header fields
//	GET  /slow?ms=M&n=N      N lines, M milliseconds apart
//	GET  /never              takes the request and never answers
//	GET  /garbage            bytes that are no HTTP
//	GET  /close-mid?n=N      declares N bytes, sends half, closes
//	GET  /reset?n=N          declares N bytes, sends half, resets
//	GET  /nolength?n=N       N bytes, ended by closing the connection
//	GET  /chunked?n=N        N bytes in chunks
//	GET  /status?code=C      that status
//	GET  /sse?n=N&ms=M       N server-sent events, M milliseconds apart
//	GET  /ws                 WebSocket that echoes messages
package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
)

// number reads a query parameter as a non-negative number.
func number(r *http.Request, name string, def int64) int64 {
	n, err := strconv.ParseInt(r.URL.Query().Get(name), 10, 64)
	if err != nil || n < 0 {
		return def
	}
	return n
}

// source gives the bytes of a seed: xorshift64*, eight bytes a step, so that
// making them costs little and a test can make them again.
type source struct {
	x    uint64
	left int64
	part [8]byte
	have int
}

func newSource(seed uint64, n int64) *source {
	return &source{x: seed*0x9e3779b97f4a7c15 + 1, left: n}
}

func (s *source) step() uint64 {
	s.x ^= s.x >> 12
	s.x ^= s.x << 25
	s.x ^= s.x >> 27
	return s.x * 0x2545f4914f6cdd1d
}

// Read implements io.Reader; the bytes do not depend on the sizes asked for.
func (s *source) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > s.left {
		p = p[:s.left]
	}
	for i := 0; i < len(p); {
		if s.have == 0 && len(p)-i >= 8 {
			binary.LittleEndian.PutUint64(p[i:], s.step())
			i += 8
			continue
		}
		if s.have == 0 {
			binary.LittleEndian.PutUint64(s.part[:], s.step())
			s.have = 8
		}
		p[i] = s.part[8-s.have]
		s.have--
		i++
	}
	s.left -= int64(len(p))
	return len(p), nil
}

var (
	sumsMu sync.Mutex
	sums   = map[[2]int64]string{}
)

// sumOf is the sum of a seed's first n bytes, remembered.
func sumOf(seed, n int64) string {
	k := [2]int64{seed, n}
	sumsMu.Lock()
	defer sumsMu.Unlock()
	if s, ok := sums[k]; ok {
		return s
	}
	h := sha256.New()
	io.Copy(h, newSource(uint64(seed), n))
	sums[k] = hex.EncodeToString(h.Sum(nil))
	return sums[k]
}

func serveBytes(w http.ResponseWriter, r *http.Request) {
	n, seed := number(r, "n", 0), number(r, "seed", 1)
	w.Header().Set("Content-Type", "application/octet-stream")
	if r.URL.Query().Get("sum") != "no" {
		w.Header().Set("X-SHA256", sumOf(seed, n))
	}
	w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
	io.Copy(w, newSource(uint64(seed), n))
}

func serveChunked(w http.ResponseWriter, r *http.Request) {
	n, seed := number(r, "n", 0), number(r, "seed", 1)
	w.Header().Set("X-SHA256", sumOf(seed, n))
	w.(http.Flusher).Flush()
	io.Copy(w, newSource(uint64(seed), n))
}

func reply(w http.ResponseWriter, v interface{}) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

// serveSHA reads a body and tells its sum.
func serveSHA(w http.ResponseWriter, r *http.Request) {
	h := sha256.New()
	n, err := io.Copy(h, r.Body)
	if err != nil {
		return
	}
	reply(w, map[string]interface{}{"bytes": n,
		"sha256": hex.EncodeToString(h.Sum(nil))})
}

// serveDiscard reads a body as fast as it comes.
func serveDiscard(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		return
	}
	reply(w, map[string]interface{}{"bytes": n})
}

func serveEcho(w http.ResponseWriter, r *http.Request) {
	reply(w, map[string]interface{}{"method": r.Method, "host": r.Host,
		"uri": r.RequestURI, "proto": r.Proto, "headers": r.Header,
		"length": r.ContentLength, "remote": r.RemoteAddr,
		"transfer_encoding": r.TransferEncoding})
}

func serveHeaders(w http.ResponseWriter, r *http.Request) {
	for k, vs := range r.URL.Query() {
		for _, v := range vs {
			w.Header().Add(k, v)
		}
	}
	io.WriteString(w, "headers\n")
}

func serveSlow(w http.ResponseWriter, r *http.Request) {
	ms, n := number(r, "ms", 100), number(r, "n", 10)
	for i := int64(0); i < n; i++ {
		fmt.Fprintf(w, "line %d\n", i)
		w.(http.Flusher).Flush()
		time.Sleep(time.Duration(ms) * time.Millisecond)
	}
}

func serveSSE(w http.ResponseWriter, r *http.Request) {
	ms, n := number(r, "ms", 100), number(r, "n", 10)
	w.Header().Set("Content-Type", "text/event-stream")
	for i := int64(0); i < n; i++ {
		fmt.Fprintf(w, "id: %d\ndata: event %d\n\n", i, i)
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-time.After(time.Duration(ms) * time.Millisecond):
		}
	}
}

func serveNever(w http.ResponseWriter, r *http.Request) {
	<-r.Context().Done()
}

// raw takes the connection away from net/http.
func raw(f func(c net.Conn, r *http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		f(c, r)
	}
}

func garbage(c net.Conn, r *http.Request) {
	b := make([]byte, number(r, "n", 4096))
	io.ReadFull(newSource(7, int64(len(b))), b)
	c.Write(b)
}

func half(c net.Conn, r *http.Request) {
	n := number(r, "n", 1<<20)
	fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", n)
	io.Copy(c, newSource(1, n/2))
}

func reset(c net.Conn, r *http.Request) {
	half(c, r)
	if t, ok := c.(*net.TCPConn); ok {
		t.SetLinger(0)
	}
}

func nolength(c net.Conn, r *http.Request) {
	n := number(r, "n", 1<<20)
	fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nX-SHA256: %s\r\n"+
		"Connection: close\r\n\r\n", sumOf(1, n))
	io.Copy(c, newSource(1, n))
}

func serveStatus(w http.ResponseWriter, r *http.Request) {
	code := int(number(r, "code", 200))
	if code < 200 || code > 599 {
		code = http.StatusBadRequest
	}
	w.WriteHeader(code)
	if code != http.StatusNoContent && code != http.StatusNotModified {
		fmt.Fprintf(w, "status %d\n", code)
	}
}

func serveWS(w http.ResponseWriter, r *http.Request) {
	up := websocket.Upgrader{
		CheckOrigin:  func(*http.Request) bool { return true },
		Subprotocols: websocket.Subprotocols(r)}
	ws, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer ws.Close()
	for {
		typ, p, err := ws.ReadMessage()
		if err != nil {
			return
		}
		if err = ws.WriteMessage(typ, p); err != nil {
			return
		}
	}
}

// echo gives back what comes, and what came after the peer's half-close too.
func echo(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func(c net.Conn) {
			defer c.Close()
			io.Copy(c, c)
			c.(*net.TCPConn).CloseWrite()
		}(c)
	}
}

// count reads to the half-close, then answers with the length and the sum.
func count(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func(c net.Conn) {
			defer c.Close()
			h := sha256.New()
			n, _ := io.Copy(h, c)
			fmt.Fprintf(c, "%d %x\n", n, h.Sum(nil))
		}(c)
	}
}

func listen(port int) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		fmt.Fprintln(os.Stderr, "targets:", err)
		os.Exit(1)
	}
	return l
}

func port(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

func main() {
	hp := flag.Int("http", 0, "`port` of the web server")
	ep := flag.Int("echo", 0, "`port` of the TCP echo")
	cp := flag.Int("count", 0, "`port` of the TCP counter")
	flag.Parse()

	m := http.NewServeMux()
	m.HandleFunc("/", serveEcho)
	m.HandleFunc("/bytes", serveBytes)
	m.HandleFunc("/chunked", serveChunked)
	m.HandleFunc("/sha", serveSHA)
	m.HandleFunc("/discard", serveDiscard)
	m.HandleFunc("/echo", serveEcho)
	m.HandleFunc("/headers", serveHeaders)
	m.HandleFunc("/slow", serveSlow)
	m.HandleFunc("/sse", serveSSE)
	m.HandleFunc("/never", serveNever)
	m.HandleFunc("/garbage", raw(garbage))
	m.HandleFunc("/close-mid", raw(half))
	m.HandleFunc("/reset", raw(reset))
	m.HandleFunc("/nolength", raw(nolength))
	m.HandleFunc("/status", serveStatus)
	m.HandleFunc("/ws", serveWS)

	web, tcp, sum := listen(*hp), listen(*ep), listen(*cp)
	go echo(tcp)
	go count(sum)
	json.NewEncoder(os.Stdout).Encode(map[string]int{"http": port(web),
		"echo": port(tcp), "count": port(sum), "pid": os.Getpid()})

	sig := make(chan os.Signal, 1)
	signal.Notify(sig, syscall.SIGINT, syscall.SIGTERM)
	go func() { <-sig; os.Exit(0) }()
	http.Serve(web, m)
}
