package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// openTerminal makes a terminal: what is written to keyboard is typed on it.
func openTerminal(t *testing.T) (keyboard, terminal *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { _ = keyboard.Close() })
	fd := int(keyboard.Fd())
	err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	var number int
	if err == nil {
		number, err = unix.IoctlGetInt(fd, unix.TIOCGPTN)
	}
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { _ = terminal.Close() })
	return keyboard, terminal
}

// TestConfirm: at a terminal the command shows what it is about to sign and
// asks; only a yes has it go on to the passphrase.
func TestConfirm(t *testing.T) {
	const said, prompt, password = "Grant send to the member beta", "Sign and send this? [y/N] ", "Passphrase: "
	for typed, c := range map[string]struct {
		code, sent int
		asked      bool // for the passphrase
	}{
		"\n":               {1, 0, false},
		"n\n":              {1, 0, false},
		"yeah\n":           {1, 0, false},
		"\x04":             {1, 0, false}, // the end
		"y\nwrong\n":       {1, 0, true},
		"y\nswordfish\n":   {0, 1, true},
		"YES\nswordfish\n": {0, 1, true},
	} {
		t.Run(fmt.Sprintf("%q", typed), func(t *testing.T) {
			x := newConsortium(t)
			keyboard, terminal := openTerminal(t)
			const end = "x\n" // so that a question too many does not wait for ever
			if _, err := keyboard.WriteString(typed + end); err != nil {
				t.Fatal(err)
			}
			var out, errs bytes.Buffer
			e := x.env()
			e.stdin, e.stdout, e.stderr = terminal, &out, &errs
			code := e.run(context.Background(), []string{"--chain", "acme", "grant", "beta", "send", "--wallet", "alpha"})
			text := errs.String()
			if code != c.code || len(x.node.Pool()) != c.sent {
				t.Errorf("exit %d, %d sent:\n%s%s", code, len(x.node.Pool()), text, out.String())
			}
			at := strings.Index(text, prompt)
			if at < 0 || !strings.Contains(text[:at], said) {
				t.Errorf("not asked, or not said for what:\n%s", text)
			}
			if asked := strings.Contains(text, password); asked != c.asked {
				t.Errorf("asked for the passphrase %v:\n%s", asked, text)
			}
			if !c.asked && !strings.Contains(text, "nothing was signed") {
				t.Errorf("not told:\n%s", text)
			}
		})
	}
}
