package rpc

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The line and its password stand in Bitcoin Core's functional test rpc_users.py.
const (
	coreLine     = "rt:93648e835a54c573682c2eb19f882535$7681e9c5b74bdd85e78166031d2058e1069b3ed7ed967c93fc63abba06f31144"
	corePassword = "cA773lm788buwYe4g4WT+05pKyNruVKjQ25x3n0DQcM="
)

func TestParseCredentials(t *testing.T) {
	list, err := ParseCredentials([]byte("# comment\n\n"+coreLine+"\nrpcauth="+coreLine+"\n"), "auth")
	if err != nil || len(list) != 2 {
		t.Fatalf("got %d, %v", len(list), err)
	}
	other, err := PasswordCredential("other", "x")
	if err != nil {
		t.Fatal(err)
	}
	list = append(list, other)
	if !authorized(list, "rt", corePassword) || !authorized(list, "other", "x") || authorized(list, "other", corePassword) {
		t.Error("the right password was refused")
	}
	for _, c := range [][2]string{{"rt", corePassword + "x"}, {"RT", corePassword}, {"", ""}, {"rt", ""}} {
		if authorized(list, c[0], c[1]) {
			t.Errorf("%q was let in", c)
		}
	}
	if authorized(nil, "", "") {
		t.Error("without users somebody was let in")
	}
	for _, line := range []string{"alice", "alice:salt", "alice$00", ":salt$" + strings.Repeat("00", 32), "alice:$" + strings.Repeat("00", 32),
		"alice:salt$00", "alice:salt$" + strings.Repeat("zz", 32), "alice:secret password"} {
		_, err := ParseCredentials([]byte("\n"+line), "the file")
		if err == nil || !strings.Contains(err.Error(), "the file: line 2") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: got %v", line, err)
		}
	}
}

func TestRPCAuthLine(t *testing.T) {
	random := bytes.NewReader(bytes.Repeat([]byte{7}, 1000))
	password, err := NewPassword(random)
	if err != nil || len(password) < 40 {
		t.Fatalf("password %q, %v", password, err)
	}
	line, err := RPCAuthLine("bob", password, random)
	if err != nil {
		t.Fatal(err)
	}
	list, err := ParseCredentials([]byte(line), "line")
	if err != nil || !authorized(list, "bob", password) || strings.Contains(line, password) {
		t.Errorf("%s: %v", line, err)
	}
	for _, user := range []string{"", "a:b", "a\nb", " a", "#a", "a$b"} {
		if line, err := RPCAuthLine(user, password, random); err == nil {
			t.Errorf("user %q: %s", user, line)
		}
	}
	if _, err := RPCAuthLine("bob", "x", bytes.NewReader(nil)); err == nil {
		t.Error("no random bytes, and no error")
	}
	if _, err := PasswordCredential("bob", ""); err == nil {
		t.Error("an empty password was taken")
	}
}

func TestCookie(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, ".cookie")
	random := bytes.NewReader(bytes.Join([][]byte{bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)}, nil))
	first, err := WriteCookie(path, random)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(path)
	if want := "__cookie__:" + strings.Repeat("01", 32); string(text) != want {
		t.Errorf("got %s, want %s", text, want)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if !authorized([]Credential{first.Credential}, "__cookie__", strings.Repeat("01", 32)) {
		t.Error("the cookie was refused")
	}
	second, err := WriteCookie(path, random)
	if err != nil {
		t.Fatal(err)
	}
	// The first run must not take the second one's away.
	if err := first.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time there is nothing to do
		if err := second.Remove(); err != nil {
			t.Fatal(err)
		}
	}
	if list, _ := os.ReadDir(dir); len(list) != 0 {
		t.Errorf("left behind: %v", list)
	}
	if _, err := WriteCookie(filepath.Join(dir, "no", "such"), bytes.NewReader(make([]byte, 32))); err == nil {
		t.Error("a missing folder, and no error")
	}
}
