/* SPDX-License-Identifier: ISC */

// pairpeer is a device that pairs, on WebSocket libraries that others wrote: a
// line of its input is a message to send, "close" is its end; a message that
// comes is a line {"text": ...} of its output, and the end {"code", "reason"}.
//
//	pairpeer coder|gorilla URL
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"log"
	"os"
	"sync"

	"github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"
)

type peer interface {
	read() ([]byte, error)
	write([]byte) error
	close()
	ended(error) (int, string)
}

type coder struct{ c *websocket.Conn }

func (p coder) read() ([]byte, error) {
	_, data, err := p.c.Read(context.Background())
	return data, err
}

func (p coder) write(data []byte) error {
	return p.c.Write(context.Background(), websocket.MessageText, data)
}

func (p coder) close() { p.c.Close(websocket.StatusNormalClosure, "") }

func (p coder) ended(err error) (int, string) {
	var ce websocket.CloseError
	if errors.As(err, &ce) {
		return int(ce.Code), ce.Reason
	}
	return 1006, ""
}

type other struct{ c *gorilla.Conn }

func (p other) read() ([]byte, error) {
	_, data, err := p.c.ReadMessage()
	return data, err
}

func (p other) write(data []byte) error {
	return p.c.WriteMessage(gorilla.TextMessage, data)
}

func (p other) close() {
	p.c.WriteMessage(gorilla.CloseMessage, gorilla.FormatCloseMessage(1000, ""))
}

func (p other) ended(err error) (int, string) {
	var ce *gorilla.CloseError
	if errors.As(err, &ce) {
		return ce.Code, ce.Text
	}
	return 1006, ""
}

func dial(lib, url string) peer {
	if lib == "coder" {
		c, _, err := websocket.Dial(context.Background(), url, nil)
		if err != nil {
			log.Fatal(err)
		}
		c.SetReadLimit(1 << 20)
		return coder{c}
	}
	c, _, err := gorilla.DefaultDialer.Dial(url, nil)
	if err != nil {
		log.Fatal(err)
	}
	return other{c}
}

func main() {
	p := dial(os.Args[1], os.Args[2])
	out := json.NewEncoder(os.Stdout)
	var mu sync.Mutex
	say := func(v map[string]any) {
		mu.Lock()
		out.Encode(v)
		mu.Unlock()
	}
	say(map[string]any{"open": true})
	go func() {
		in := bufio.NewScanner(os.Stdin)
		in.Buffer(nil, 1<<20)
		for in.Scan() {
			if in.Text() == "close" {
				p.close()
			} else if err := p.write(in.Bytes()); err != nil {
				return
			}
		}
	}()
	for {
		data, err := p.read()
		if err != nil {
			code, reason := p.ended(err)
			say(map[string]any{"code": code, "reason": reason})
			return
		}
		say(map[string]any{"text": string(data)})
	}
}
