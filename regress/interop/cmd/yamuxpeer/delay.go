/* SPDX-License-Identifier: ISC */

package main

import (
	"fmt"
	"log"
	"net"
	"sync"
	"time"
)

// A delay line: accepts one connection, connects on, and hands every byte on
// after -delay, each way. Nothing is dropped and the rate is not limited, so
// it shows what windows do to a long line.

const lineMax = 64 << 20 // bytes under way, per direction

type chunk struct {
	due  time.Time
	data []byte
}

func delayLine() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("port %d\n", l.Addr().(*net.TCPAddr).Port)
	a, err := l.Accept()
	if err != nil {
		log.Fatal(err)
	}
	b, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", *connect))
	if err != nil {
		log.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Add(2)
	go direction(a, b, &wg)
	go direction(b, a, &wg)
	wg.Wait()
}

func direction(from, to net.Conn, wg *sync.WaitGroup) {
	const size = 256 << 10
	ch := make(chan chunk, lineMax/size)
	go func() {
		defer close(ch)
		for {
			buf := make([]byte, size)
			n, err := from.Read(buf)
			if err != nil {
				return
			}
			ch <- chunk{time.Now().Add(*delay), buf[:n]}
		}
	}()
	defer wg.Done()
	defer to.Close()
	for c := range ch {
		time.Sleep(time.Until(c.due))
		if _, err := to.Write(c.data); err != nil {
			return
		}
	}
}
