/* SPDX-License-Identifier: ISC */

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"time"

	"github.com/hashicorp/yamux"
)

const maxReply = 1 << 20

// order is one line of standard input with -stdin: what a test wants done on
// the tunnel that is up. One member is set. Its answer is an event "ordered"
// with the number of the line, from 1, and "error" if it went wrong.
type order struct {
	Services *string `json:"services"` // new table, new manifest
	Open     *string `json:"open"`     // client stream with this text
	File     *string `json:"file"`     // the same, with a file's bytes
	Hold     bool    `json:"hold"`     // with open and file: no FIN
	Opens    int     `json:"opens"`    // so many streams, held open
	Ping     bool    `json:"ping"`     // "rtt_us" in the answer
	GoAway   bool    `json:"goaway"`   // yamux go-away 0
	Drop     bool    `json:"drop"`     // TCP reset
}

// orders carries out standard input.
func (c *client) orders() {
	sc := bufio.NewScanner(os.Stdin)
	sc.Buffer(nil, 1<<20)
	for n := 1; sc.Scan(); n++ {
		var o order
		e := event{"order": n}
		err := json.Unmarshal(sc.Bytes(), &o)
		if err == nil {
			err = c.obey(&o, n, e)
		}
		if err != nil {
			e["error"] = err.Error()
		}
		emit("ordered", e)
	}
}

func (c *client) obey(o *order, n int, e event) error {
	c.mu.Lock()
	up := c.up
	c.mu.Unlock()
	if up == nil {
		return errors.New("no tunnel")
	}
	switch {
	case o.Services != nil:
		c.mu.Lock()
		c.services = parseServices(*o.Services)
		c.added = map[string]bool{}
		c.mu.Unlock()
		return c.sendManifest(up.session)
	case o.Open != nil:
		return ask(up.session, n, []byte(*o.Open), o.Hold, e)
	case o.File != nil:
		b, err := os.ReadFile(*o.File)
		if err != nil {
			return err
		}
		return ask(up.session, n, b, o.Hold, e)
	case o.Opens > 0:
		return many(up.session, o.Opens, e)
	case o.Ping:
		rtt, err := up.session.Ping()
		e["rtt_us"] = rtt.Microseconds()
		return err
	case o.GoAway:
		return up.session.GoAway()
	case o.Drop:
		if t, ok := up.conn.NetConn().(*net.TCPConn); ok {
			t.SetLinger(0)
		}
		return up.conn.Close()
	}
	return errors.New("nothing ordered")
}

// ask opens a stream with a text; what comes back, to its end, is an event
// "answered" of its own.
func ask(s *yamux.Session, n int, text []byte, hold bool, e event) error {
	st, err := s.OpenStream()
	if err != nil {
		return err
	}
	e["stream"] = st.StreamID()
	go func() {
		b, err := io.ReadAll(io.LimitReader(st, maxReply))
		a := event{"order": n, "stream": st.StreamID(),
			"body": string(b)}
		if err != nil {
			a["error"] = err.Error()
		}
		emit("answered", a)
		st.Close()
	}()
	st.SetWriteDeadline(time.Now().Add(time.Minute))
	if _, err = st.Write(text); err != nil || hold {
		return err
	}
	return st.Close()
}

// many opens streams at once and tells how many of them were reset.
func many(s *yamux.Session, n int, e event) error {
	reset := make(chan bool)
	for i := 0; i < n; i++ {
		go func() {
			st, err := s.OpenStream()
			if err != nil {
				reset <- true
				return
			}
			// a stream that was taken stays silent
			st.SetReadDeadline(time.Now().Add(2 * time.Second))
			_, err = st.Read(make([]byte, 1))
			reset <- !errors.Is(err, yamux.ErrTimeout)
		}()
	}
	refused := 0
	for i := 0; i < n; i++ {
		if <-reset {
			refused++
		}
	}
	e["opened"], e["refused"] = n-refused, refused
	return nil
}
