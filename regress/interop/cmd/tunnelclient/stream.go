/* SPDX-License-Identifier: ISC */

package main

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/yamux"
)

const (
	maxLine     = 1024
	maxServices = 500
	maxAdd      = 10
	maxCommand  = 64 << 10
)

var addName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// readLine reads single bytes up to a newline, so that what follows the line
// stays in the stream. A line ended by FIN is taken as it is.
func readLine(r io.Reader) (string, error) {
	var line []byte
	b := make([]byte, 1)
	for {
		n, err := r.Read(b)
		if n == 1 {
			if b[0] == '\n' {
				return string(line), nil
			}
			if line = append(line, b[0]); len(line) > maxLine {
				return "", errors.New("line too long")
			}
		}
		if err == io.EOF && len(line) > 0 {
			return string(line), nil
		}
		if err != nil {
			return "", err
		}
	}
}

// handle serves one stream opened by the server.
func (c *client) handle(st *yamux.Stream) {
	line, err := readLine(st)
	if !c.o.quiet {
		e := event{"stream": st.StreamID(), "line": line}
		if err != nil {
			e["error"] = err.Error()
		}
		emit("stream_open", e)
	}
	name := strings.TrimPrefix(line, "CONNECT ")
	switch {
	case err != nil:
		st.Close()
	case strings.HasPrefix(line, "COMMAND "):
		c.command(st, strings.TrimPrefix(line, "COMMAND "))
	case name == line || name == "":
		st.Close()
	case name == "terminal":
		c.terminal(st)
	default:
		c.connect(st, name)
	}
}

func (c *client) lookup(name string) (service, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.services[name]
	return s, ok
}

func dialTarget(s service) (net.Conn, error) {
	d := net.Dialer{Timeout: 10 * time.Second}
	if s.TLS {
		return tls.DialWithDialer(&d, "tcp", s.Target,
			&tls.Config{InsecureSkipVerify: true})
	}
	return d.Dial("tcp", s.Target)
}

// connect joins a stream and a target. The end of either direction closes
// both: that is what the existing client does.
func (c *client) connect(st *yamux.Stream, name string) {
	s, ok := c.lookup(name)
	if !ok {
		fmt.Fprintf(st, "ERROR service not found: %s\n", name)
		st.Close()
		return
	}
	t, err := dialTarget(s)
	if err != nil {
		fmt.Fprintf(st, "ERROR failed to connect to %s: %v\n",
			s.Target, err)
		st.Close()
		return
	}
	if _, err = st.Write([]byte("OK\n")); err != nil {
		t.Close()
		st.Close()
		return
	}
	var once sync.Once
	var in, ou int64
	var wg sync.WaitGroup
	both := func() { t.Close(); st.Close() }
	wg.Add(2)
	go func() {
		defer wg.Done()
		in, _ = io.Copy(t, st)
		once.Do(both)
	}()
	go func() {
		defer wg.Done()
		ou, _ = io.Copy(st, t)
		once.Do(both)
	}()
	wg.Wait()
	if !c.o.quiet {
		emit("stream_closed", event{"stream": st.StreamID(),
			"to_target": in, "from_target": ou})
	}
}

type command struct {
	Action       string             `json:"action"`
	Services     map[string]service `json:"services"`
	ServiceNames []string           `json:"service_names"`
}

// command serves a COMMAND stream: add or remove services, then answer. The
// new manifest goes out before OK.
func (c *client) command(st *yamux.Stream, version string) {
	defer st.Close()
	reply := "OK\n"
	if err := c.execute(st, version); err != nil {
		reply = "ERROR " + err.Error() + "\n"
	}
	st.Write([]byte(reply))
	emit("command", event{"stream": st.StreamID(),
		"reply": strings.TrimSuffix(reply, "\n")})
}

func (c *client) execute(st *yamux.Stream, version string) error {
	if version != "1" {
		return fmt.Errorf("unsupported command version %q", version)
	}
	var cmd command
	d := json.NewDecoder(io.LimitReader(st, maxCommand))
	if err := d.Decode(&cmd); err != nil {
		return fmt.Errorf("invalid json: %v", err)
	}
	changed := false
	var err error
	switch cmd.Action {
	case "add_services":
		changed, err = c.add(cmd.Services)
	case "remove_services":
		changed, err = c.remove(cmd.ServiceNames)
	default:
		return fmt.Errorf("unknown action %q", cmd.Action)
	}
	if err != nil || !changed {
		return err
	}
	c.mu.Lock()
	s := c.up.session
	c.mu.Unlock()
	if err = c.sendManifest(s); err != nil {
		return fmt.Errorf("failed to resend manifest: %v", err)
	}
	return nil
}

func (c *client) add(add map[string]service) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(add) == 0 {
		return false, errors.New("no services provided")
	}
	if len(add) > maxAdd {
		return false, errors.New(
			"too many services: max 10 per call")
	}
	if len(c.services)+len(add) > maxServices {
		return false, errors.New(
			"service limit exceeded: max 500 total services")
	}
	for name, s := range add {
		if !addName.MatchString(name) {
			return false, fmt.Errorf("invalid service name %q: "+
				"must match %s", name, addName)
		}
		if err := checkTarget(s.Target); err != nil {
			return false, fmt.Errorf("service %q rejected: %v",
				name, err)
		}
	}
	for name, s := range add {
		c.services[name] = s
		c.added[name] = true
	}
	return true, nil
}

func (c *client) remove(names []string) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(names) == 0 {
		return false, errors.New("no service names provided")
	}
	changed := false
	for _, name := range names {
		if c.added[name] {
			delete(c.services, name)
			delete(c.added, name)
			changed = true
		}
	}
	return changed, nil
}

// checkTarget refuses the addresses that no added service may have.
func checkTarget(target string) error {
	host, _, err := net.SplitHostPort(target)
	if err != nil {
		host = target
	}
	switch strings.ToLower(host) {
	case "", "metadata", "metadata.google.internal",
		"metadata.azure.internal", "instance-data",
		"metadata.platformequinix.com":
		return errors.New("target not allowed")
	}
	ips, err := net.LookupIP(host)
	if err != nil {
		return err
	}
	for _, ip := range ips {
		if ip.IsUnspecified() || ip.IsMulticast() ||
			ip.IsLinkLocalUnicast() ||
			ip.Equal(net.IPv4bcast) {
			return errors.New("target not allowed")
		}
	}
	return nil
}
