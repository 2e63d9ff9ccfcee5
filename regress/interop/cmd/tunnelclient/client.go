/* SPDX-License-Identifier: ISC */

package main

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/hashicorp/yamux"

	"relayd.test/interop/wsconn"
)

const (
	closeSession = 4000
	longEnough   = 60 * time.Second // after this the delay starts anew
)

type service struct {
	Target string `json:"target"`
	Host   string `json:"host"`
	TLS    bool   `json:"tls"`
	Label  string `json:"label"`
}

// client is one tunnel slot: it connects, serves, and connects again.
type client struct {
	o      *options
	slot   slot
	source net.Addr // nil: any

	mu       sync.Mutex
	services map[string]service
	added    map[string]bool // services that came with a COMMAND
	up       *tunnel         // the newest connection
}

// tunnel is one established connection.
type tunnel struct {
	conn    *wsconn.Conn
	session *yamux.Session
}

func newClient(o *options, s slot) *client {
	c := &client{o: o, slot: s}
	c.resetServices()
	return c
}

// resetServices starts the table again with the static services.
func (c *client) resetServices() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.services = parseServices(c.o.services)
	c.added = map[string]bool{}
}

func parseServices(list string) map[string]service {
	m := map[string]service{}
	for _, entry := range strings.Split(list, ",") {
		entry = strings.TrimSpace(entry)
		eq := strings.IndexByte(entry, '=')
		if eq <= 0 {
			continue
		}
		s := service{Label: entry[:eq], Target: entry[eq+1:]}
		if strings.HasSuffix(s.Target, ":tls") {
			s.TLS = true
			s.Target = strings.TrimSuffix(s.Target, ":tls")
		}
		if i := strings.Index(s.Target, ":host="); i >= 0 {
			s.Host = s.Target[i+len(":host="):]
			s.Target = s.Target[:i]
		}
		m[entry[:eq]] = s
	}
	return m
}

// run is the life of the program with one tunnel; it returns the exit status.
func (c *client) run() int {
	delay := c.o.reconnect
	for {
		began := time.Now()
		code := 0
		if up, err := c.dial(); err == nil {
			code = c.serve(up)
		}
		if code == closeSession {
			emit("exit", event{"status": 0, "why": "session closed"})
			return 0
		}
		if c.o.once {
			emit("exit", event{"status": 1, "why": "once"})
			return 1
		}
		if time.Since(began) > longEnough {
			delay = c.o.reconnect
		}
		emit("reconnect", event{"delay": delay.Seconds()})
		time.Sleep(delay)
		if delay *= 2; delay > c.o.maxReconnect {
			delay = c.o.maxReconnect
		}
	}
}

// target is the URL to dial: with a node id the query is parsed and written
// anew, sorted; without one the URL goes out as it was given.
func (c *client) target() (string, error) {
	if c.slot.node == "" {
		return c.o.url, nil
	}
	u, err := url.Parse(c.o.url)
	if err != nil {
		return "", err
	}
	q := u.Query()
	q.Set("node_id", c.slot.node)
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// refusal is an answer other than 101.
type refusal struct {
	status int
	retry  time.Duration // Retry-After; 0: none
	body   string
}

func (r *refusal) Error() string {
	return fmt.Sprintf("%d %s", r.status, r.body)
}

// dial does TCP, TLS, the upgrade and starts yamux.
func (c *client) dial() (*tunnel, error) {
	target, err := c.target()
	if err != nil {
		return nil, err
	}
	nd := net.Dialer{LocalAddr: c.source}
	d := websocket.Dialer{
		NetDialContext:   nd.DialContext,
		HandshakeTimeout: 10 * time.Second,
		TLSClientConfig: &tls.Config{
			InsecureSkipVerify: c.o.tlsInsecure},
	}
	auth := base64.StdEncoding.EncodeToString(
		[]byte(c.slot.key + ":" + c.slot.secret))
	ws, resp, err := d.Dial(target,
		http.Header{"Authorization": {"Basic " + auth}})
	if err != nil {
		e := event{"error": err.Error()}
		if resp != nil {
			body, _ := io.ReadAll(resp.Body)
			e["status"] = resp.StatusCode
			e["headers"] = flatten(resp.Header)
			e["body"] = string(body)
			s, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
			err = &refusal{resp.StatusCode,
				time.Duration(s) * time.Second, string(body)}
		}
		if !c.o.quiet {
			emit("dial_failed", e)
		}
		return nil, err
	}
	conn := wsconn.New(ws)
	cfg := yamux.DefaultConfig()
	cfg.KeepAliveInterval = c.o.keepalive
	cfg.LogOutput = os.Stderr
	s, err := yamux.Client(conn, cfg)
	if err != nil {
		conn.Close()
		return nil, err
	}
	if !c.o.quiet {
		emit("connected", event{"status": resp.StatusCode,
			"headers": flatten(resp.Header),
			"local":   ws.LocalAddr().String()})
	}
	up := &tunnel{conn, s}
	c.mu.Lock()
	c.up = up
	c.mu.Unlock()
	return up, nil
}

func flatten(h http.Header) map[string]string {
	m := map[string]string{}
	for k, v := range h {
		m[k] = strings.Join(v, ", ")
	}
	return m
}

// serve lives through one connection: announce, provision, then accept. It
// returns the code of the close frame (0 when there was none to be seen).
func (c *client) serve(up *tunnel) int {
	c.resetServices()
	c.announce(up.session)
	c.provision(up.session)
	if !c.o.quiet {
		emit("accepting", nil)
	}
	for {
		st, err := up.session.AcceptStream()
		if err != nil {
			break
		}
		go c.handle(st)
	}
	<-up.session.CloseChan()
	up.conn.Close()
	code, reason := up.conn.CloseCode()
	if !c.o.quiet {
		emit("closed", event{"code": code, "reason": reason})
	}
	return code
}

// announce sends the manifest and the diagnostics.
func (c *client) announce(s *yamux.Session) {
	if err := c.sendManifest(s); err != nil {
		emit("error", event{"what": "manifest", "error": err.Error()})
		return
	}
	report := []byte(nil)
	switch c.o.diagnostics {
	case "none":
		return
	case "default":
		report, _ = json.Marshal(diagnostics())
	default:
		var err error
		if report, err = os.ReadFile(c.o.diagnostics); err != nil {
			emit("error", event{"what": "diagnostics",
				"error": err.Error()})
			return
		}
	}
	c.sendReport(s, "diagnostics_sent", "DIAGNOSTICS 1\n", report)
}

func diagnostics() interface{} {
	host, _ := os.Hostname()
	return event{
		"collected_at": time.Now().UTC().Format(time.RFC3339Nano),
		"duration_ms":  1, "overall_status": "ok",
		"plugins": []event{{"id": "system", "name": "System",
			"status": "ok", "checks": []event{{"name": "os",
				"status": "ok", "value": host}}}},
	}
}

// sendManifest opens a stream, writes the service table and half-closes.
func (c *client) sendManifest(s *yamux.Session) error {
	st, err := s.OpenStream()
	if err != nil {
		return err
	}
	c.mu.Lock()
	b, err := json.Marshal(event{"version": 1, "services": c.services})
	n := len(c.services)
	c.mu.Unlock()
	b = append(b, '\n')
	if c.o.manifest != "" {
		b, err = os.ReadFile(c.o.manifest)
	}
	if err != nil {
		return err
	}
	if _, err = st.Write(b); err != nil {
		return err
	}
	if err = st.Close(); err != nil {
		return err
	}
	if !c.o.quiet {
		emit("manifest_sent", event{"stream": st.StreamID(),
			"services": n, "bytes": len(b)})
	}
	return nil
}

// sendReport writes a header line and a document, as two writes, and FIN.
func (c *client) sendReport(s *yamux.Session, name, head string, doc []byte) {
	st, err := s.OpenStream()
	if err == nil {
		_, err = st.Write([]byte(head))
	}
	if err == nil {
		_, err = st.Write(append(doc, '\n'))
	}
	if err != nil {
		emit("error", event{"what": name, "error": err.Error()})
		return
	}
	st.Close()
	if !c.o.quiet {
		emit(name, event{"stream": st.StreamID(),
			"bytes": len(doc) + 1})
	}
}

// provision plays the time and the streams of user provisioning.
func (c *client) provision(s *yamux.Session) {
	if c.o.users != "none" {
		c.sendUsers(s)
	}
	if c.o.provisionDelay > 0 {
		t := time.NewTimer(c.o.provisionDelay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-s.CloseChan():
		}
	}
}

func (c *client) sendUsers(s *yamux.Session) {
	users := event{
		"session_id": c.slot.key, "platform": "nethsecurity",
		"created_at": time.Now().UTC().Format(time.RFC3339Nano),
	}
	switch c.o.users {
	case "fetch":
		c.fetchUsers(s)
	case "report":
		users["local_users"] = []event{{"username": "support-test",
			"password": "invented-for-tests"}}
	default:
		b, err := os.ReadFile(c.o.users)
		if err != nil {
			emit("error", event{"what": "users",
				"error": err.Error()})
			return
		}
		c.sendReport(s, "users_sent", "USERS 1\n", b)
		return
	}
	b, _ := json.Marshal(event{"created_at": users["created_at"],
		"duration_ms": 1, "users": users})
	c.sendReport(s, "users_sent", "USERS 1\n", b)
}

// fetchUsers asks for another node's report and reads it to FIN.
func (c *client) fetchUsers(s *yamux.Session) {
	st, err := s.OpenStream()
	if err != nil {
		emit("error", event{"what": "fetch", "error": err.Error()})
		return
	}
	defer st.Close()
	st.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err = st.Write([]byte("USERS_FETCH 1\n")); err != nil {
		emit("error", event{"what": "fetch", "error": err.Error()})
		return
	}
	b, err := io.ReadAll(io.LimitReader(st, 256<<10))
	e := event{"body": string(b)}
	if err != nil {
		e["error"] = err.Error()
	}
	emit("users_fetched", e)
}
