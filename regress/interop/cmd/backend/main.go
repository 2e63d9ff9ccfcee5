/* SPDX-License-Identifier: ISC */

// backend stands in for the existing back end: it has the database, in which it
// finds sessions and their tokens (pgx), says in Redis what is to be done and
// what it has changed (go-redis), and passes its operators on to relayd's internal
// interface. Who its operators are it does not ask: that is the test's.
//
//	backend -database URL -redis URL -support URL -secret FILE [-hmac FILE]
//	    [-env NAME]
//
// Its first line of output has the port that it listens on. It serves
//
//	GET  /sessions                          those that are open, as JSON
//	GET  /api/support-sessions/ID/services  what relayd says of them
//	any  /page/ID/SERVICE/...               a page of a service
//	POST /api/support-sessions/ID/terminal-ticket
//	GET  /api/support-sessions/ID/terminal?ticket=  a WebSocket
//	POST /shell?session=ID                  runs the body in a terminal
//	POST /command[?secret=TEXT]             the body, signed, to support:commands
//	POST /secret?key=KEY[&quiet=1]          a new secret; everybody is told
//	POST /set?key=KEY&column=C&value=SQL    changes a system; everybody is told
package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/gorilla/websocket"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
)

var (
	pool         *pgxpool.Pool
	cache        *redis.Client // database 0, the back end's own
	support      *url.URL
	secret, sign string // of commands and requests; of invalidations
	env          string
)

func fileOf(path string) string {
	if path == "" {
		return ""
	}
	text, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

func random() string {
	b := make([]byte, 32)
	if _, err := rand.Read(b); err != nil {
		log.Fatal(err)
	}
	return hex.EncodeToString(b)
}

func mac(key, text string) string {
	m := hmac.New(sha256.New, []byte(key))
	m.Write([]byte(text))
	return hex.EncodeToString(m.Sum(nil))
}

func fail(w http.ResponseWriter, status int, err error) {
	log.Print(err)
	http.Error(w, err.Error(), status)
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		log.Print(err)
	}
}

// tokenOf has a session's token from where the support service has put it.
func tokenOf(ctx context.Context, session string) (token string, err error) {
	err = pool.QueryRow(ctx, `SELECT session_token FROM support_sessions
		WHERE id = $1 AND status IN ('pending', 'active')`,
		session).Scan(&token)
	return token, err
}

// dress makes a browser's request one of the back end's.
func dress(h http.Header, token string) {
	for _, name := range []string{"Origin", "Referer", "Authorization",
		"Cookie"} {
		h.Del(name)
	}
	h.Set("X-Internal-Secret", secret)
	h.Set("X-Session-Token", token)
}

func sessions(w http.ResponseWriter, r *http.Request) {
	type row struct {
		ID     string `json:"id"`
		Key    string `json:"key"`
		Status string `json:"status"`
	}
	rows, err := pool.Query(r.Context(), `SELECT s.id::text, y.system_key,
		s.status FROM support_sessions s JOIN systems y ON
		y.id = s.system_id WHERE s.status IN ('pending', 'active')
		ORDER BY s.started_at`)
	if err != nil {
		fail(w, 500, err)
		return
	}
	defer rows.Close()
	found := []row{}
	for rows.Next() {
		var one row
		if err := rows.Scan(&one.ID, &one.Key, &one.Status); err != nil {
			fail(w, 500, err)
			return
		}
		found = append(found, one)
	}
	answer(w, found)
}

// pass hands a request to relayd, under another path.
func pass(w http.ResponseWriter, r *http.Request, session, path string) {
	token, err := tokenOf(r.Context(), session)
	if err != nil {
		fail(w, 404, err)
		return
	}
	p := httputil.ReverseProxy{
		FlushInterval: -1,
		Director: func(out *http.Request) {
			out.URL.Scheme, out.URL.Host = support.Scheme, support.Host
			out.URL.Opaque = path
			dress(out.Header, token)
			out.Header.Set("X-Proxy-Host", r.Host)
		},
	}
	p.ServeHTTP(w, r)
}

func page(w http.ResponseWriter, r *http.Request) {
	// Not the decoded path: what is escaped stays so.
	rest := strings.TrimPrefix(r.URL.EscapedPath(), "/page/")
	id, _, _ := strings.Cut(rest, "/")
	pass(w, r, id, "/api/proxy/"+rest)
}

func ticket(w http.ResponseWriter, r *http.Request, session string) {
	text, _ := json.Marshal(map[string]string{"session_id": session,
		"user_id": "carol", "username": "carol", "org_role": "Owner",
		"user_logto_id": "", "name": "Carol", "organization_id": "d1"})
	t := random()
	if err := cache.Set(r.Context(), "terminal_ticket:"+t, text,
		30*time.Second).Err(); err != nil {
		fail(w, 503, err)
		return
	}
	answer(w, map[string]string{"ticket": t})
}

// terminal takes the ticket and moves bytes between the browser and relayd.
func terminal(w http.ResponseWriter, r *http.Request, session string) {
	text, err := cache.GetDel(r.Context(), "terminal_ticket:"+
		r.URL.Query().Get("ticket")).Result()
	var who struct {
		Session string `json:"session_id"`
	}
	if err != nil || json.Unmarshal([]byte(text), &who) != nil ||
		who.Session != session {
		http.Error(w, "invalid or expired ticket", 401)
		return
	}
	token, err := tokenOf(r.Context(), session)
	if err != nil {
		fail(w, 404, err)
		return
	}
	up, err := net.Dial("tcp", support.Host)
	if err != nil {
		fail(w, 502, err)
		return
	}
	defer up.Close()
	out := r.Clone(r.Context())
	out.URL = &url.URL{Path: "/api/terminal/" + session}
	out.Host = support.Host
	dress(out.Header, token)
	if err := out.Write(up); err != nil {
		fail(w, 502, err)
		return
	}
	down, early, err := w.(http.Hijacker).Hijack()
	if err != nil {
		fail(w, 500, err)
		return
	}
	defer down.Close()
	go func() {
		_, _ = io.Copy(up, early)
		_ = up.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(down, up)
}

// shell runs a line in a terminal of its own, until the shell ends.
func shell(w http.ResponseWriter, r *http.Request) {
	session := r.URL.Query().Get("session")
	line, err := io.ReadAll(r.Body)
	if err != nil {
		fail(w, 400, err)
		return
	}
	token, err := tokenOf(r.Context(), session)
	if err != nil {
		fail(w, 404, err)
		return
	}
	h := http.Header{}
	dress(h, token)
	c, resp, err := websocket.DefaultDialer.Dial("ws://"+support.Host+
		"/api/terminal/"+session, h)
	if err != nil {
		if resp != nil {
			body, _ := io.ReadAll(resp.Body)
			http.Error(w, string(body), resp.StatusCode)
			return
		}
		fail(w, 502, err)
		return
	}
	defer c.Close()
	for _, m := range [][]byte{append([]byte{1},
		`{"cols":100,"rows":30}`...), append(append([]byte{0}, line...),
		"\rexit\r"...)} {
		if err := c.WriteMessage(websocket.BinaryMessage, m); err != nil {
			fail(w, 502, err)
			return
		}
	}
	var got []byte
	for {
		_, m, err := c.ReadMessage()
		if err != nil {
			w.Header().Set("X-End", err.Error())
			break
		}
		if len(m) > 0 && m[0] == 0 {
			got = append(got, m[1:]...)
		}
	}
	_, _ = w.Write(got)
}

// command publishes what the body says, signed.
func command(w http.ResponseWriter, r *http.Request) {
	payload, err := io.ReadAll(r.Body)
	if err != nil {
		fail(w, 400, err)
		return
	}
	key := secret
	if other := r.URL.Query().Get("secret"); other != "" {
		key = other
	}
	text, _ := json.Marshal(map[string]string{"payload": string(payload),
		"sig": mac(key, string(payload))})
	n, err := cache.Publish(r.Context(), "support:commands", text).Result()
	if err != nil {
		fail(w, 503, err)
		return
	}
	answer(w, n)
}

// invalidate says that a system's credentials have changed.
func invalidate(ctx context.Context, key string) error {
	text := key
	if sign != "" {
		text += "|" + mac(sign, key)
	}
	return cache.Publish(ctx, "my:auth:invalidate:"+env, text).Err()
}

func newSecret(w http.ResponseWriter, r *http.Request) {
	key := r.URL.Query().Get("key")
	public, private := random()[:20], random()[:40]
	salt := make([]byte, 16)
	if _, err := rand.Read(salt); err != nil {
		log.Fatal(err)
	}
	sum := sha256.Sum256(append(append([]byte{}, salt...), private...))
	tag, err := pool.Exec(r.Context(), `UPDATE systems SET
		system_secret_public = $1, system_secret_sha256 = $2
		WHERE system_key = $3`, public, hex.EncodeToString(salt)+":"+
		hex.EncodeToString(sum[:]), key)
	if err != nil || tag.RowsAffected() != 1 {
		fail(w, 500, fmt.Errorf("%v: %w", tag, err))
		return
	}
	if r.URL.Query().Get("quiet") == "" {
		if err := invalidate(r.Context(), key); err != nil {
			log.Print(err) // it is in the database, all the same
		}
	}
	answer(w, map[string]string{"secret": "my_" + public + "." + private})
}

func set(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	column, ok := map[string]string{"suspended": "suspended_at",
		"deleted": "deleted_at", "enabled": "support_enabled"}[q.Get("column")]
	value, known := map[string]string{"now": "now()", "null": "NULL",
		"true": "true", "false": "false"}[q.Get("value")]
	if !ok || !known {
		http.Error(w, "no such column", 400)
		return
	}
	if _, err := pool.Exec(r.Context(), "UPDATE systems SET "+column+" = "+
		value+" WHERE system_key = $1", q.Get("key")); err != nil {
		fail(w, 500, err)
		return
	}
	if err := invalidate(r.Context(), q.Get("key")); err != nil {
		fail(w, 503, err)
		return
	}
	answer(w, "set")
}

func api(w http.ResponseWriter, r *http.Request) {
	id, what, _ := strings.Cut(strings.TrimPrefix(r.URL.Path,
		"/api/support-sessions/"), "/")
	switch what {
	case "services":
		pass(w, r, id, "/api/proxy/"+id+"/services")
	case "terminal-ticket":
		ticket(w, r, id)
	case "terminal":
		terminal(w, r, id)
	default:
		http.NotFound(w, r)
	}
}

func main() {
	database := flag.String("database", "", "of PostgreSQL, as a URL")
	where := flag.String("redis", "", "as a URL")
	at := flag.String("support", "", "relayd's internal listener")
	secretFile := flag.String("secret", "", "shared with relayd")
	signFile := flag.String("hmac", "", "signs invalidations")
	flag.StringVar(&env, "env", "dev", "of the channel")
	flag.Parse()
	secret, sign = fileOf(*secretFile), fileOf(*signFile)
	var err error
	if support, err = url.Parse(*at); err != nil {
		log.Fatal(err)
	}
	if pool, err = pgxpool.New(context.Background(), *database); err != nil {
		log.Fatal(err)
	}
	options, err := redis.ParseURL(*where)
	if err != nil {
		log.Fatal(err)
	}
	cache = redis.NewClient(options)
	http.HandleFunc("/sessions", sessions)
	http.HandleFunc("/page/", page)
	http.HandleFunc("/api/support-sessions/", api)
	http.HandleFunc("/shell", shell)
	http.HandleFunc("/command", command)
	http.HandleFunc("/secret", newSecret)
	http.HandleFunc("/set", set)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("{\"port\":%d}\n", l.Addr().(*net.TCPAddr).Port)
	log.Fatal(http.Serve(l, nil))
}
