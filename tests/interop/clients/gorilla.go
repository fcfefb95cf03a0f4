// gorilla/websocket (Debian's package) against the server: gorilla URL
package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/gorilla/websocket"
)

const (
	text   = "naïve – 漢字 – 😀"
	reason = "enough, danke schön"
	soon   = 20 * time.Second
)

var (
	base   *url.URL
	failed bool
)

func main() {
	var err error
	if base, err = url.Parse(os.Args[1]); err != nil {
		panic(err)
	}
	fmt.Println("gorilla/websocket")
	check("text", func() error { return comesBack(websocket.TextMessage, []byte(text), 0) })
	check("binary 64 KiB", func() error { return comesBack(websocket.BinaryMessage, data(64<<10), 0) })
	check("binary 1 MiB", func() error { return comesBack(websocket.BinaryMessage, data(1<<20), 0) })
	check("fragments", func() error { return comesBack(websocket.TextMessage, []byte(text), 5) })
	check("ping", ping)
	check("client closes", clientCloses)
	for _, code := range []int{1000, 3000, 4999} {
		check(fmt.Sprintf("server closes %d", code), func() error { return serverCloses(code) })
	}
	if failed {
		os.Exit(1)
	}
}

func check(name string, step func() error) {
	if err := step(); err != nil {
		failed = true
		fmt.Printf("FAIL %s: %v\n", name, err)
	} else {
		fmt.Println("ok  ", name)
	}
}

func open(path string, writeBuffer int) (*websocket.Conn, error) {
	dialer := websocket.Dialer{HandshakeTimeout: soon, WriteBufferSize: writeBuffer}
	address := base.ResolveReference(&url.URL{Path: path})
	conn, _, err := dialer.Dial(address.String(), nil)
	if err != nil {
		return nil, err
	}
	return conn, conn.SetReadDeadline(time.Now().Add(soon))
}

// comesBack sends a message; gorilla's client sends a frame whenever its write buffer (4 KiB when 0 is asked for) is full.
func comesBack(kind int, message []byte, writeBuffer int) error {
	conn, err := open("/", writeBuffer)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.WriteMessage(kind, message); err != nil {
		return err
	}
	if err := receive(conn, kind, message); err != nil {
		return err
	}
	return closes(conn, "")
}

func receive(conn *websocket.Conn, kind int, message []byte) error {
	seenKind, seen, err := conn.ReadMessage()
	if err != nil {
		return err
	}
	if seenKind != kind || !bytes.Equal(seen, message) {
		return fmt.Errorf("%d bytes of kind %d instead of %d of %d", len(seen), seenKind, len(message), kind)
	}
	return nil
}

// The pong's handler runs within a read: an echo behind the ping ends that read.
func ping() error {
	conn, err := open("/", 0)
	if err != nil {
		return err
	}
	defer conn.Close()
	pong := ""
	conn.SetPongHandler(func(payload string) error { pong = payload; return nil })
	if err := conn.WriteControl(websocket.PingMessage, []byte("are you there"), time.Now().Add(soon)); err != nil {
		return err
	}
	if err := conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		return err
	}
	if err := receive(conn, websocket.TextMessage, []byte(text)); err != nil {
		return err
	}
	if pong != "are you there" {
		return fmt.Errorf("pong %q", pong)
	}
	return closes(conn, "")
}

func clientCloses() error {
	conn, err := open("/", 0)
	if err != nil {
		return err
	}
	defer conn.Close()
	return closes(conn, "bye")
}

// closes from this end; wshub answers with the code alone.
func closes(conn *websocket.Conn, reason string) error {
	frame := websocket.FormatCloseMessage(websocket.CloseNormalClosure, reason)
	if err := conn.WriteControl(websocket.CloseMessage, frame, time.Now().Add(soon)); err != nil {
		return err
	}
	return closed(conn, websocket.CloseNormalClosure, "")
}

func serverCloses(code int) error {
	conn, err := open(fmt.Sprintf("/close/%d", code), 0)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.WriteMessage(websocket.TextMessage, []byte(reason)); err != nil {
		return err
	}
	return closed(conn, code, reason)
}

func closed(conn *websocket.Conn, code int, reason string) error {
	_, message, err := conn.ReadMessage()
	if err == nil {
		return fmt.Errorf("a message of %d bytes instead of a close", len(message))
	}
	var seen *websocket.CloseError
	if !errors.As(err, &seen) || seen.Code != code || seen.Text != reason {
		return fmt.Errorf("%v instead of %d %q", err, code, reason)
	}
	return nil
}

func data(length int) []byte {
	made := make([]byte, length)
	for i := range made {
		made[i] = byte(i * 31 % 251)
	}
	return made
}
