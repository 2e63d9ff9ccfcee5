/* SPDX-License-Identifier: ISC */

package main

import (
	"encoding/binary"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"os/user"
	"strings"
	"sync"

	"github.com/creack/pty"
	"github.com/hashicorp/yamux"
)

const (
	frameData   = 0
	frameResize = 1
	maxFrame    = 1 << 20
)

// denied are the variables that the existing client keeps from the shell.
var denied = []string{"SYSTEM_KEY", "SYSTEM_SECRET", "SUPPORT_URL",
	"DATABASE_URL", "REDIS_ADDR", "REDIS_PASSWORD", "REDIS_URL",
	"SUPPORT_INTERNAL_SECRET", "TUNNEL_CONFIG"}

func shellCommand() *exec.Cmd {
	shell := os.Getenv("SHELL")
	if shell == "" {
		shell = "/bin/bash"
	}
	cmd := exec.Command(shell, "-l")
next:
	for _, v := range os.Environ() {
		for _, d := range denied {
			if strings.HasPrefix(v, d+"=") {
				continue next
			}
		}
		cmd.Env = append(cmd.Env, v)
	}
	cmd.Env = append(cmd.Env, "TERM=xterm-256color")
	if u, err := user.Current(); err == nil {
		cmd.Dir = u.HomeDir
		cmd.Env = append(cmd.Env, "HOME="+u.HomeDir)
	}
	return cmd
}

// terminal runs a shell on a pty. OK is sent before the pty exists, as the
// existing client does.
func (c *client) terminal(st *yamux.Stream) {
	defer st.Close()
	if _, err := st.Write([]byte("OK\n")); err != nil {
		return
	}
	cmd := shellCommand()
	tty, err := pty.Start(cmd)
	if err != nil {
		emit("error", event{"what": "terminal", "error": err.Error()})
		return
	}
	emit("terminal_open", event{"stream": st.StreamID(),
		"pid": cmd.Process.Pid})
	var once sync.Once
	end := func() { tty.Close(); cmd.Process.Kill(); st.Close() }
	go func() {
		toPty(tty, st)
		once.Do(end)
	}()
	fromPty(st, tty)
	once.Do(end)
	cmd.Wait()
	emit("terminal_closed", event{"stream": st.StreamID(),
		"status": cmd.ProcessState.ExitCode()})
}

// fromPty frames what the shell prints; length and payload are two writes.
func fromPty(st io.Writer, tty io.Reader) {
	buf := make([]byte, 1+4096)
	var head [4]byte
	for {
		n, err := tty.Read(buf[1:])
		if n > 0 {
			buf[0] = frameData
			binary.BigEndian.PutUint32(head[:], uint32(n+1))
			if _, err := st.Write(head[:]); err != nil {
				return
			}
			if _, err := st.Write(buf[:n+1]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// toPty takes frames apart until the stream ends or a frame is too long.
func toPty(tty *os.File, st io.Reader) {
	var head [4]byte
	for {
		if _, err := io.ReadFull(st, head[:]); err != nil {
			return
		}
		n := binary.BigEndian.Uint32(head[:])
		if n > maxFrame {
			return
		}
		if n == 0 {
			continue
		}
		p := make([]byte, n)
		if _, err := io.ReadFull(st, p); err != nil {
			return
		}
		switch p[0] {
		case frameData:
			if _, err := tty.Write(p[1:]); err != nil {
				return
			}
		case frameResize:
			resize(tty, p[1:])
		}
	}
}

func resize(tty *os.File, doc []byte) {
	var size struct {
		Cols int `json:"cols"`
		Rows int `json:"rows"`
	}
	if json.Unmarshal(doc, &size) != nil || size.Cols <= 0 ||
		size.Rows <= 0 {
		return
	}
	pty.Setsize(tty, &pty.Winsize{Cols: uint16(size.Cols),
		Rows: uint16(size.Rows)})
}
