package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/term"

	"github.com/charterchain/charter/wallet"
)

// maxSecretFile bounds passphrase and mnemonic files, in bytes.
const maxSecretFile = 4096

// passphrase returns the wallet's passphrase: from --passphrase-file, with
// --dev from the development chain's file, else from the terminal, where a
// new one is asked for twice. The caller should clear it after use.
func (e *env) passphrase(ctx context.Context, f *walletFlags, isNew bool) ([]byte, error) {
	path := f.passphraseFile
	if path == "" && e.flags.dev {
		dir, err := e.baseDir()
		if err != nil {
			return nil, err
		}
		path = filepath.Join(dir, "wallet.pass")
	}
	if path != "" {
		secret, err := readSecret(path, "passphrase")
		if err == nil && len(secret) == 0 {
			err = fmt.Errorf("passphrase file %s is empty", path)
		}
		return secret, err
	}
	secret, err := e.ask(ctx, "Passphrase: ")
	if err != nil || !isNew {
		return secret, err
	}
	if len(secret) == 0 {
		return nil, errors.New("the passphrase is empty: whoever gets hold of the file would have the money")
	}
	again, err := e.ask(ctx, "The same again: ")
	if err != nil {
		return nil, err
	}
	defer clear(again)
	if !bytes.Equal(secret, again) {
		return nil, errors.New("the two passphrases differ; nothing was made")
	}
	return secret, nil
}

// ask reads a secret from the terminal without showing it.
func (e *env) ask(ctx context.Context, prompt string) ([]byte, error) {
	in, ok := e.terminal()
	if !ok {
		return nil, usagef("there is no terminal to ask for the passphrase: give --passphrase-file")
	}
	state, err := term.GetState(in)
	if err != nil {
		return nil, fmt.Errorf("read the passphrase: %w", err)
	}
	fmt.Fprint(e.stderr, prompt)
	secret, err := interruptible(ctx, func() ([]byte, error) { return term.ReadPassword(in) })
	fmt.Fprintln(e.stderr)
	if err != nil {
		// An interrupted reader has left the echo off.
		return nil, errors.Join(fmt.Errorf("read the passphrase: %w", err), term.Restore(in, state))
	}
	return secret, nil
}

// terminal is the standard input, if it is a terminal.
func (e *env) terminal() (fd int, ok bool) {
	in, ok := e.stdin.(*os.File)
	if !ok {
		return 0, false
	}
	fd = int(in.Fd())
	return fd, term.IsTerminal(fd)
}

// interruptible waits for a read that knows no context. Where the context
// ends first the read goes on, and with it one goroutine, until the program
// ends, which it is about to do.
func interruptible[T any](ctx context.Context, read func() (T, error)) (T, error) {
	type result struct {
		v   T
		err error
	}
	done := make(chan result, 1)
	go func() {
		v, err := read()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.v, r.err
	case <-ctx.Done():
		var none T
		return none, errors.New("interrupted")
	}
}

// readSecret reads a file that nobody but its owner may read, without the
// line end.
func readSecret(path, what string) ([]byte, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s file %s is missing", what, path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the %s: %w", what, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("read the %s: %w", what, err)
	}
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o077 != 0 {
		return nil, fmt.Errorf("%s file %s can be read by others (mode %04o): run chmod 600 %s", what, path, mode, path)
	}
	secret, err := io.ReadAll(io.LimitReader(file, maxSecretFile+1))
	if err != nil {
		return nil, fmt.Errorf("read the %s: %w", what, err)
	}
	if len(secret) > maxSecretFile {
		clear(secret)
		return nil, fmt.Errorf("%s file %s is longer than %d bytes", what, path, maxSecretFile)
	}
	return bytes.TrimRight(secret, "\r\n"), nil
}

// mnemonic returns the words to restore from: from a file, else one line of
// the standard input, prompted for on a terminal.
func (e *env) mnemonic(ctx context.Context, path string) (string, error) {
	if path != "" {
		secret, err := readSecret(path, "mnemonic")
		return string(secret), err
	}
	if _, ok := e.terminal(); ok {
		fmt.Fprint(e.stderr, "The wallet's words, in order, on one line: ")
	}
	line, err := interruptible(ctx, func() (string, error) {
		return bufio.NewReader(io.LimitReader(e.stdin, maxSecretFile)).ReadString('\n')
	})
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the words: %w", err)
	}
	return line, nil
}

// progress shows a long scan on the standard error: on a terminal one line
// that is written over, else nothing but a line every ten seconds. It is
// silent for the first second, and with --json.
type progress struct {
	e        *env
	terminal bool
	start    time.Time
	last     time.Time
	shown    bool
}

func (e *env) newProgress() *progress {
	out, ok := e.stderr.(*os.File)
	now := e.now()
	return &progress{e: e, terminal: ok && term.IsTerminal(int(out.Fd())), start: now, last: now}
}

func (p *progress) report(at wallet.Progress) {
	now, pause := p.e.now(), 10*time.Second
	if p.terminal {
		pause = 200 * time.Millisecond
	}
	if p.e.flags.json || now.Sub(p.start) < time.Second || now.Sub(p.last) < pause {
		return
	}
	p.last, p.shown = now, true
	end := "\n"
	if p.terminal {
		end = "\r"
	}
	fmt.Fprintf(p.e.stderr, "Reading the chain: block %d of %d (%d%%)%s",
		at.Height, at.Target, int64(at.Height)*100/max(int64(at.Target), 1), end)
}

// done leaves the line that was written over.
func (p *progress) done() {
	if p.shown && p.terminal {
		fmt.Fprintln(p.e.stderr)
	}
}
