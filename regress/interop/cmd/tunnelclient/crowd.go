/* SPDX-License-Identifier: ISC */

package main

import (
	"errors"
	"math/rand"
	"net"
	"sort"
	"strconv"
	"sync"
	"time"
)

// crowd is many tunnels in one process, and what their return costs.
type crowd struct {
	o *options

	mu       sync.Mutex
	up       int
	lost     time.Time       // the first of those that are not back
	attempts int             // since then
	back     []time.Duration // after lost, each that is back
	refused  map[string]int  // by status; "none": no answer
}

// source is an address of 127/8 for each of -sources.
func (w *crowd) source(i int) net.Addr {
	if w.o.sources == 0 {
		return nil
	}
	i %= w.o.sources
	return &net.TCPAddr{IP: net.IPv4(127, byte(1+i/50000),
		byte(1+i/250%200), byte(1+i%250))}
}

// gone notes that a tunnel was lost.
func (w *crowd) gone(c *client, code int) {
	emit("lost", event{"key": c.slot.key, "node": c.slot.node,
		"code": code})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.up--
	if w.lost.IsZero() {
		w.lost = time.Now()
		w.attempts = 0
		w.back = nil
		w.refused = map[string]int{}
	}
}

// tried notes an attempt to come back, and says when all are.
func (w *crowd) tried(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.attempts++
	if err != nil {
		why := "none"
		var r *refusal
		if errors.As(err, &r) {
			why = strconv.Itoa(r.status)
		}
		w.refused[why]++
		return
	}
	w.up++
	w.back = append(w.back, time.Since(w.lost))
	if w.up < w.o.tunnels {
		return
	}
	sort.Slice(w.back, func(i, k int) bool { return w.back[i] < w.back[k] })
	n := len(w.back)
	emit("restored", event{"tunnels": n, "attempts": w.attempts,
		"refused": w.refused, "half": w.back[n/2].Seconds(),
		"most": w.back[n*95/100].Seconds(),
		"all":  w.back[n-1].Seconds()})
	w.lost = time.Time{}
}

// pause is how long to wait before an attempt.
func (w *crowd) pause(delay time.Duration, err error) time.Duration {
	if !w.o.jitter {
		return delay
	}
	var r *refusal
	if errors.As(err, &r) && r.retry > delay {
		delay = r.retry
	}
	return delay*4/5 + time.Duration(rand.Int63n(int64(delay)*2/5+1))
}

// live serves a tunnel, and brings it back if that is wanted.
func (w *crowd) live(c *client, up *tunnel) {
	for {
		code := c.serve(up)
		w.gone(c, code)
		if !w.o.again || code == closeSession {
			return
		}
		err := error(nil)
		for delay := w.o.reconnect; ; delay *= 2 {
			if delay > w.o.maxReconnect {
				delay = w.o.maxReconnect
			}
			time.Sleep(w.pause(delay, err))
			up, err = c.dial()
			w.tried(err)
			if err == nil {
				break
			}
		}
	}
}

// holdMany brings up -tunnels tunnels, at most -parallel at a time, reports
// how long that took, and keeps them.
func holdMany(o *options, slots []slot) {
	w := &crowd{o: o}
	work := make(chan *client)
	done := make(chan error)
	begin := time.Now()
	for i := 0; i < o.parallel; i++ {
		go func() {
			for c := range work {
				up, err := c.dial()
				if err == nil {
					w.mu.Lock()
					w.up++
					w.mu.Unlock()
					go w.live(c, up)
				}
				done <- err
			}
		}()
	}
	go func() {
		for i := 0; i < o.tunnels; i++ {
			c := newClient(o, slots[i])
			c.source = w.source(i)
			work <- c
		}
		close(work)
	}()
	failed := 0
	var firstErr error
	for i := 0; i < o.tunnels; i++ {
		if err := <-done; err != nil {
			failed++
			if firstErr == nil {
				firstErr = err
			}
		}
	}
	e := event{"tunnels": o.tunnels - failed, "failed": failed,
		"seconds": time.Since(begin).Seconds(), "parallel": o.parallel}
	if firstErr != nil {
		e["first_error"] = firstErr.Error()
	}
	emit("all_connected", e)
	select {}
}
