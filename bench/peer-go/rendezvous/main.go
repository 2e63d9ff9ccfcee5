/* SPDX-License-Identifier: ISC */

// rendezvous is the yardstick for relay sessions, and the load on both sides.
//
//	rendezvous serve ADDRESS        two connections of one path are joined by
//	                                coder/websocket: a whole message is read,
//	                                then written
//	rendezvous load URL1 URL2 SIZE COUNT
//	                                messages from the one to the other: their
//	                                number each second, as JSON
//	rendezvous join N URL           so many pairs, of a path each, are joined and
//	                                pass a message, one after the other: their
//	                                number each second; then they stay until
//	                                standard input ends
//	rendezvous made N URL           the same, each session made there first
//	rendezvous lag URL1 URL2 SIZE COUNT RATE
//	                                at RATE a second, there and back: p50, p99
//
// The load masks its frames once and writes each by itself, as a program does
// that has one message to say.
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

type meeting struct {
	mu    sync.Mutex
	first map[string]chan *websocket.Conn
}

func pump(ctx context.Context, from, to *websocket.Conn) error {
	for {
		kind, data, err := from.Read(ctx)
		if err != nil {
			return err
		}
		if err := to.Write(ctx, kind, data); err != nil {
			return err
		}
	}
}

func (m *meeting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return
	}
	c.SetReadLimit(-1)
	ctx := context.Background()
	m.mu.Lock()
	ch, second := m.first[r.URL.Path]
	if !second {
		ch = make(chan *websocket.Conn)
		m.first[r.URL.Path] = ch
	} else {
		delete(m.first, r.URL.Path)
	}
	m.mu.Unlock()
	var other *websocket.Conn
	if second {
		ch <- c
		other = <-ch
	} else {
		other = <-ch
		ch <- c
	}
	pump(ctx, c, other)
	other.Close(websocket.StatusNormalClosure, "peer disconnected")
}

func dial(text string) (net.Conn, *bufio.Reader) {
	u, err := url.Parse(text)
	if err != nil {
		log.Fatal(err)
	}
	c, err := net.Dial("tcp", u.Host)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"+
		"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
		u.RequestURI(), u.Host)
	r := bufio.NewReaderSize(c, 1<<18)
	line, err := r.ReadString('\n')
	if err != nil || !strings.Contains(line, " 101 ") {
		log.Fatal("no upgrade: ", line, err)
	}
	for line != "\r\n" {
		if line, err = r.ReadString('\n'); err != nil {
			log.Fatal(err)
		}
	}
	return c, r
}

func frame(size int) []byte {
	b := []byte{0x82, 0x80 | 126, 0, 0}
	if size < 126 {
		b = []byte{0x82, 0x80 | byte(size)}
	} else if size < 65536 {
		binary.BigEndian.PutUint16(b[2:], uint16(size))
	} else {
		b = append([]byte{0x82, 0xff}, make([]byte, 8)...)
		binary.BigEndian.PutUint64(b[2:], uint64(size))
	}
	b = append(b, 1, 2, 3, 4)
	for i := 0; i < size; i++ {
		b = append(b, byte(i)^b[len(b)-i-4+i&3])
	}
	return b
}

// skip reads whole messages until `bytes` of payload have come.
func skip(r *bufio.Reader, bytes int) {
	var ext [8]byte
	for bytes > 0 {
		if _, err := io.ReadFull(r, ext[:2]); err != nil {
			log.Fatal(err)
		}
		n, masked := int(ext[1]&127), ext[1]&128 != 0
		if n == 126 {
			io.ReadFull(r, ext[:2])
			n = int(binary.BigEndian.Uint16(ext[:2]))
		} else if n == 127 {
			io.ReadFull(r, ext[:8])
			n = int(binary.BigEndian.Uint64(ext[:8]))
		}
		if masked { // a copy loop leaves it as it was
			r.Discard(4)
		}
		if _, err := r.Discard(n); err != nil {
			log.Fatal(err)
		}
		bytes -= n
	}
}

func say(v map[string]float64) {
	json.NewEncoder(os.Stdout).Encode(v)
}

func load(one, two string, size, count int) {
	a, _ := dial(one)
	_, r := dial(two)
	f := frame(size)
	begun := time.Now()
	go func() {
		for i := 0; i < count; i++ {
			if _, err := a.Write(f); err != nil {
				log.Fatal(err)
			}
		}
	}()
	skip(r, size*count)
	s := time.Since(begun).Seconds()
	say(map[string]float64{"seconds": s, "messages": float64(count) / s,
		"bytes": float64(count) * float64(size) / s})
}

func lag(one, two string, size, count, rate int) {
	a, ra := dial(one)
	b, rb := dial(two)
	f := frame(size)
	go func() {
		for i := 0; i < count; i++ {
			skip(rb, size)
			b.Write(f)
		}
	}()
	took := make([]float64, 0, count)
	next := time.Now()
	for i := 0; i < count; i++ {
		next = next.Add(time.Second / time.Duration(rate))
		time.Sleep(time.Until(next))
		begun := time.Now()
		a.Write(f)
		skip(ra, size)
		took = append(took, float64(time.Since(begun).Microseconds()))
	}
	sort.Float64s(took)
	say(map[string]float64{"p50": took[count/2], "p99": took[count*99/100]})
}

type session struct {
	ID        string `json:"id"`
	Initiator string `json:"initiator_token"`
	Responder string `json:"responder_token"`
}

// join makes and joins n sessions, and holds them.
func join(n int, api, where string) {
	var held []net.Conn
	f := frame(64)
	begun := time.Now()
	for i := 0; i < n; i++ {
		one := fmt.Sprintf("%s/j%d", where, i)
		two := one
		if api != "" {
			r, err := http.Post(api, "", nil)
			if err != nil {
				log.Fatal(err)
			}
			var s session
			if err := json.NewDecoder(r.Body).Decode(&s); err != nil {
				log.Fatal(err)
			}
			r.Body.Close()
			one = where + "/relay/" + s.ID + "?token=" + s.Initiator
			two = where + "/relay/" + s.ID + "?token=" + s.Responder
		}
		a, _ := dial(one)
		b, r := dial(two)
		a.Write(f)
		skip(r, 64)
		held = append(held, a, b)
	}
	s := time.Since(begun).Seconds()
	say(map[string]float64{"rate": float64(n) / s})
	io.Copy(io.Discard, os.Stdin)
	for _, c := range held {
		c.Close()
	}
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		log.Fatal(err)
	}
	return n
}

func main() {
	v := os.Args
	switch {
	case len(v) == 3 && v[1] == "serve":
		l, err := net.Listen("tcp", v[2])
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("listening on", l.Addr())
		log.Fatal(http.Serve(l, &meeting{first: map[string]chan *websocket.Conn{}}))
	case len(v) == 6 && v[1] == "load":
		load(v[2], v[3], number(v[4]), number(v[5]))
	case len(v) == 4 && v[1] == "join":
		join(number(v[2]), "", v[3])
	case len(v) == 4 && v[1] == "made":
		join(number(v[2]), v[3]+"/admin/sessions", v[3])
	case len(v) == 7 && v[1] == "lag":
		lag(v[2], v[3], number(v[4]), number(v[5]), number(v[6]))
	default:
		log.Fatal("usage: see the top of main.go")
	}
}
