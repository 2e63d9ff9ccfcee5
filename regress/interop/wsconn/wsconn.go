/* SPDX-License-Identifier: ISC */

// Package wsconn makes a net.Conn of a gorilla WebSocket, in the way the
// existing programs do it: each Write is one binary message, Read takes the
// payloads of successive messages as one stream of bytes, whatever their type.
package wsconn

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// Conn carries a byte stream over a WebSocket. It remembers how the peer
// ended the connection, because yamux does not pass that on.
type Conn struct {
	ws *websocket.Conn
	r  io.Reader

	mu  sync.Mutex
	end error
}

// New wraps an established WebSocket.
func New(ws *websocket.Conn) *Conn {
	return &Conn{ws: ws}
}

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	for {
		if c.r == nil {
			_, r, err := c.ws.NextReader()
			if err != nil {
				c.ended(err)
				return 0, err
			}
			c.r = r
		}
		n, err := c.r.Read(p)
		if errors.Is(err, io.EOF) {
			c.r = nil
			err = nil
		}
		if err != nil {
			c.ended(err)
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// Write implements net.Conn; p becomes one message.
func (c *Conn) Write(p []byte) (int, error) {
	if err := c.ws.WriteMessage(websocket.BinaryMessage, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close closes the TCP connection without a close frame.
func (c *Conn) Close() error { return c.ws.Close() }

// CloseWith sends a close frame first.
func (c *Conn) CloseWith(code int, reason string) error {
	_ = c.ws.WriteControl(websocket.CloseMessage,
		websocket.FormatCloseMessage(code, reason),
		time.Now().Add(time.Second))
	return c.ws.Close()
}

func (c *Conn) ended(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end == nil {
		c.end = err
	}
}

// CloseCode tells how the peer ended the connection: the code and reason of
// its close frame, 1005 for a frame without code, 1006 without a frame, and 0
// as long as nothing has been seen.
func (c *Conn) CloseCode() (int, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var ce *websocket.CloseError
	if c.end == nil {
		return 0, ""
	}
	if errors.As(c.end, &ce) {
		return ce.Code, ce.Text
	}
	return websocket.CloseAbnormalClosure, c.end.Error()
}

// NetConn is the connection under the WebSocket.
func (c *Conn) NetConn() net.Conn { return c.ws.UnderlyingConn() }

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr { return c.ws.LocalAddr() }

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return c.ws.RemoteAddr() }

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.ws.SetReadDeadline(t); err != nil {
		return err
	}
	return c.ws.SetWriteDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error {
	return c.ws.SetReadDeadline(t)
}

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	return c.ws.SetWriteDeadline(t)
}
