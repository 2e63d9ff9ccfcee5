/* SPDX-License-Identifier: ISC */

// relaypeer is one side of a relay session, on WebSocket libraries that others
// wrote: it sends every message back as what it was, pings now and then, and
// says in JSON how it ended.
//
//	relaypeer coder|gorilla URL TOKEN
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"
)

type end struct {
	Code     int    `json:"code"`
	Reason   string `json:"reason"`
	Messages int    `json:"messages"`
	Pings    int    `json:"pings"`
}

func coder(url string, h http.Header) (e end) {
	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPHeader: h})
	if err != nil {
		log.Fatal(err)
	}
	c.SetReadLimit(-1)
	pinged := make(chan error, 1)
	go func() { pinged <- c.Ping(ctx) }()
	for {
		kind, data, err := c.Read(ctx)
		if err != nil {
			var ce websocket.CloseError
			if errors.As(err, &ce) {
				e.Code, e.Reason = int(ce.Code), ce.Reason
			}
			if <-pinged == nil {
				e.Pings++
			}
			return e
		}
		e.Messages++
		if err := c.Write(ctx, kind, data); err != nil {
			log.Fatal(err)
		}
	}
}

func other(url string, h http.Header) (e end) {
	c, _, err := gorilla.DefaultDialer.Dial(url, h)
	if err != nil {
		log.Fatal(err)
	}
	c.SetPongHandler(func(string) error { e.Pings++; return nil })
	c.WriteControl(gorilla.PingMessage, []byte("1"), time.Now().Add(time.Minute))
	for {
		kind, data, err := c.ReadMessage()
		if err != nil {
			var ce *gorilla.CloseError
			if errors.As(err, &ce) {
				e.Code, e.Reason = ce.Code, ce.Text
			}
			return e
		}
		e.Messages++
		if err := c.WriteMessage(kind, data); err != nil {
			log.Fatal(err)
		}
	}
}

func main() {
	h := http.Header{"Authorization": {"Bearer " + os.Args[3]}}
	e := end{}
	if os.Args[1] == "coder" {
		e = coder(os.Args[2], h)
	} else {
		e = other(os.Args[2], h)
	}
	json.NewEncoder(os.Stdout).Encode(e)
}
