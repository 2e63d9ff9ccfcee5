/* SPDX-License-Identifier: ISC */

// peer-go is the yardstick: a relay of the shape of the existing Go support
// service. net/http takes the operator's request, httputil.ReverseProxy sends
// it on, every request opens a yamux stream of its own over gorilla/websocket
// and asks for the service with a CONNECT line, whose answer it awaits. What
// the existing one does around that (logging, database, a second hop) is left
// out, and its leaks are repaired: streams are closed, waits have limits, pings
// come every 15 s. So the real one is slower than this, not faster.
//
// A tunnel is found by host name: service--key.anything, where key is the
// system key in lower case, without dashes, followed by the node id if any.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/hashicorp/yamux"

	"relayd.test/interop/wsconn"
)

const (
	maxDocument = 1 << 20
	controlTime = 30 * time.Second
	replyTime   = 15 * time.Second
	maxReply    = 1024
)

type service struct {
	Target string `json:"target"`
	Host   string `json:"host"`
}

// tunnel is one client's connection with its service table and the transport
// that requests take through it.
type tunnel struct {
	conn    *wsconn.Conn
	session *yamux.Session

	mu       sync.Mutex
	services map[string]service
}

type relay struct {
	keepalive time.Duration
	proxy     *httputil.ReverseProxy

	mu      sync.RWMutex
	tunnels map[string]*tunnel
}

type routeKey struct{}

// route is what a request's host name was found to mean.
type route struct {
	t    *tunnel
	name string
}

func slug(key, node string) string {
	return strings.ToLower(strings.ReplaceAll(key, "-", "")) + node
}

// accept takes a client's upgrade and serves its control streams.
func (r *relay) accept(w http.ResponseWriter, req *http.Request) {
	key, _, ok := req.BasicAuth()
	if !ok {
		http.Error(w, "authentication required",
			http.StatusUnauthorized)
		return
	}
	up := websocket.Upgrader{}
	ws, err := up.Upgrade(w, req, nil)
	if err != nil {
		return
	}
	cfg := yamux.DefaultConfig()
	cfg.KeepAliveInterval = r.keepalive
	cfg.LogOutput = io.Discard
	conn := wsconn.New(ws)
	s, err := yamux.Server(conn, cfg)
	if err != nil {
		ws.Close()
		return
	}
	id := slug(key, req.URL.Query().Get("node_id"))
	t := &tunnel{conn: conn, session: s, services: map[string]service{}}
	r.mu.Lock()
	old := r.tunnels[id]
	r.tunnels[id] = t
	r.mu.Unlock()
	if old != nil {
		old.session.Close()
	}
	t.control()
	s.Close()
	r.mu.Lock()
	if r.tunnels[id] == t {
		delete(r.tunnels, id)
	}
	r.mu.Unlock()
}

// control reads the streams that the client opens until the session ends.
func (t *tunnel) control() {
	for {
		st, err := t.session.AcceptStream()
		if err != nil {
			return
		}
		go func() {
			defer st.Close()
			st.SetDeadline(time.Now().Add(controlTime))
			b, err := io.ReadAll(io.LimitReader(st, maxDocument))
			if err != nil || len(b) == 0 || b[0] != '{' {
				return
			}
			t.manifest(b)
		}()
	}
}

func (t *tunnel) manifest(doc []byte) {
	var m struct {
		Services map[string]service `json:"services"`
	}
	if json.Unmarshal(doc, &m) != nil || m.Services == nil {
		return
	}
	t.mu.Lock()
	t.services = m.Services
	t.mu.Unlock()
}

// open gives a stream to a service, after the client's OK.
func (t *tunnel) open(name string) (net.Conn, error) {
	st, err := t.session.OpenStream()
	if err != nil {
		return nil, err
	}
	st.SetDeadline(time.Now().Add(replyTime))
	if _, err = fmt.Fprintf(st, "CONNECT %s\n", name); err == nil {
		err = readReply(st)
	}
	if err != nil {
		st.Close()
		return nil, err
	}
	st.SetDeadline(time.Time{})
	return st, nil
}

// readReply reads the answer to CONNECT and nothing behind it.
func readReply(r io.Reader) error {
	var line []byte
	b := make([]byte, 1)
	for len(line) < maxReply {
		if _, err := io.ReadFull(r, b); err != nil {
			return err
		}
		if b[0] == '\n' {
			if bytes.Equal(line, []byte("OK")) {
				return nil
			}
			return errors.New(string(line))
		}
		line = append(line, b[0])
	}
	return bufio.ErrTooLong
}

// find resolves service--key.domain.
func (r *relay) find(host string) (*route, service, bool) {
	label := host
	if i := strings.IndexByte(host, '.'); i >= 0 {
		label = host[:i]
	}
	i := strings.LastIndex(label, "--")
	if i < 0 {
		return nil, service{}, false
	}
	r.mu.RLock()
	t := r.tunnels[label[i+2:]]
	r.mu.RUnlock()
	if t == nil {
		return nil, service{}, false
	}
	t.mu.Lock()
	s, ok := t.services[label[:i]]
	t.mu.Unlock()
	return &route{t, label[:i]}, s, ok
}

// ServeHTTP sends an operator's request through the tunnel its host names.
func (r *relay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	rt, s, ok := r.find(req.Host)
	if !ok {
		http.Error(w, "tunnel not found", http.StatusNotFound)
		return
	}
	req = req.WithContext(context.WithValue(req.Context(), routeKey{}, rt))
	req.Host = s.Target
	if s.Host != "" {
		req.Host = s.Host
	}
	r.proxy.ServeHTTP(w, req)
}

// debug finds the tunnel that a request for /debug/ means by ?key=.
func (r *relay) debug(w http.ResponseWriter, req *http.Request) *tunnel {
	r.mu.RLock()
	defer r.mu.RUnlock()
	t := r.tunnels[slug(req.FormValue("key"), "")]
	if t == nil {
		http.Error(w, "tunnel not found", http.StatusNotFound)
	}
	return t
}

// raw gives the connection to a stream, such as that of a terminal: what comes
// behind the head of the request goes into it, and back.
func (r *relay) raw(w http.ResponseWriter, req *http.Request) {
	t := r.debug(w, req)
	if t == nil {
		return
	}
	st, err := t.open(req.FormValue("name"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer st.Close()
	c, rw, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer c.Close()
	fmt.Fprint(c, "HTTP/1.1 200 OK\r\n\r\n")
	go func() {
		_, _ = io.Copy(st, rw)
		st.Close()
	}()
	_, _ = io.Copy(c, st)
}

// end closes a tunnel as an operator would.
func (r *relay) end(w http.ResponseWriter, req *http.Request) {
	if t := r.debug(w, req); t != nil {
		_ = t.conn.CloseWith(4000, "session_closed")
	}
}

func newRelay(keepalive time.Duration, reuse bool) *relay {
	r := &relay{keepalive: keepalive, tunnels: map[string]*tunnel{}}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		rt, ok := ctx.Value(routeKey{}).(*route)
		if !ok {
			return nil, errors.New("no route")
		}
		return rt.t.open(rt.name)
	}
	r.proxy = &httputil.ReverseProxy{
		Director: func(req *http.Request) {
			req.URL.Scheme = "http"
			// one pool per tunnel and service, if there are pools
			rt, _ := req.Context().Value(routeKey{}).(*route)
			req.URL.Host = fmt.Sprintf("%p.%s", rt.t, rt.name)
		},
		Transport: &http.Transport{
			DialContext:         dial,
			DisableKeepAlives:   !reuse,
			DisableCompression:  true,
			MaxIdleConnsPerHost: 64,
		},
		ErrorLog: log.New(io.Discard, "", 0),
	}
	return r
}

func main() {
	addr := flag.String("listen", "127.0.0.1:0", "`address` to listen on")
	keepalive := flag.Duration("keepalive", 15*time.Second,
		"yamux ping interval; 15ns is the existing service's loop")
	reuse := flag.Bool("reuse", false,
		"keep streams for further requests (the existing one does not)")
	flag.Parse()

	r := newRelay(*keepalive, *reuse)
	mux := http.NewServeMux()
	mux.HandleFunc("/api/tunnel", r.accept)
	mux.HandleFunc("/support/api/tunnel", r.accept)
	mux.HandleFunc("/debug/raw", r.raw)
	mux.HandleFunc("/debug/close", r.end)
	mux.HandleFunc("/debug/tunnels",
		func(w http.ResponseWriter, _ *http.Request) {
			r.mu.RLock()
			defer r.mu.RUnlock()
			streams := 0
			for _, t := range r.tunnels {
				streams += t.session.NumStreams()
			}
			fmt.Fprintf(w, "{\"tunnels\":%d,\"streams\":%d}\n",
				len(r.tunnels), streams)
		})
	mux.Handle("/", r)
	l, err := net.Listen("tcp", *addr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "peer-go:", err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(map[string]int{
		"port": l.Addr().(*net.TCPAddr).Port, "pid": os.Getpid()})
	fmt.Fprintln(os.Stderr, http.Serve(l, mux))
	os.Exit(1)
}
