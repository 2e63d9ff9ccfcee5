/* SPDX-License-Identifier: ISC */

// pairing is the load for a relay of pairing; each device is a connection from an
// address of its own, since relays count by it.
//
//	pairing load ADDRESS COUNT AT-ONCE
//	        so many pairings, each with its two connections, five messages of
//	        data and their end: their number each second, as JSON
//	pairing hold ADDRESS COUNT
//	        connections of which each waits under a code; says "held", and stays
//	        until its input ends
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

const payload = "Ap7cQ1x0bnVtYmVyIG9mIGJ5dGVzIGFzIGEga2V5IGhhcyBpbiBiYXNlNjQ="

var address atomic.Uint32

func dial(to string) *websocket.Conn {
	n := address.Add(1)
	d := websocket.Dialer{NetDial: func(network, at string) (net.Conn, error) {
		from := net.IPv4(127, byte(1+n>>16), byte(n>>8), byte(n))
		return (&net.Dialer{LocalAddr: &net.TCPAddr{IP: from}}).Dial(network, at)
	}}
	c, _, err := d.Dial("ws://"+to+"/ws", nil)
	if err != nil {
		log.Fatal(err)
	}
	return c
}

func say(c *websocket.Conn, text string) {
	if err := c.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		log.Fatal(err)
	}
}

func hear(c *websocket.Conn, want string) {
	_, data, err := c.ReadMessage()
	if err != nil {
		log.Fatal(err)
	}
	if !strings.Contains(string(data), want) {
		log.Fatalf("%s, not %s", data, want)
	}
}

func data(from, to *websocket.Conn) {
	say(from, `{"type":"data","payload":"`+payload+`"}`)
	hear(to, payload)
}

func pair(to string, code int) {
	a := dial(to)
	say(a, fmt.Sprintf(`{"type":"listen","otc":"%06d"}`, code))
	hear(a, "session_open")
	b := dial(to)
	say(b, fmt.Sprintf(`{"type":"connect","otc":"%06d"}`, code))
	hear(a, "peer_found")
	hear(b, "peer_found")
	data(a, b)
	data(b, a)
	data(b, a)
	data(a, b)
	data(a, b)
	a.Close()
	hear(b, "peer_disconnected")
	b.Close()
}

func load(to string, count, at int) {
	var next atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for i := 0; i < at; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for n := next.Add(1); n <= int64(count); n = next.Add(1) {
				pair(to, int(n%1000000))
			}
		}()
	}
	wg.Wait()
	json.NewEncoder(os.Stdout).Encode(map[string]float64{
		"pairings": float64(count) / time.Since(start).Seconds()})
}

func hold(to string, count int) {
	all := make([]*websocket.Conn, count)
	for i := range all {
		all[i] = dial(to)
		say(all[i], fmt.Sprintf(`{"type":"listen","otc":"%06d"}`, i))
		hear(all[i], "session_open")
	}
	fmt.Println("held")
	io.Copy(io.Discard, os.Stdin)
}

func main() {
	count, _ := strconv.Atoi(os.Args[3])
	if os.Args[1] == "load" {
		at, _ := strconv.Atoi(os.Args[4])
		load(os.Args[2], count, at)
	} else {
		hold(os.Args[2], count)
	}
}
