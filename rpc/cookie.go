package rpc

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// cookieUser is the user name in a cookie file.
const cookieUser = "__cookie__"

// Cookie is a password that is valid for one run of the node, in a file that
// only the user who runs it can read.
type Cookie struct {
	Credential Credential
	path       string
	line       string
}

// WriteCookie makes a cookie and writes it to path, as one step: whoever opens
// the file sees a whole cookie, of this run or an older one.
func WriteCookie(path string, random io.Reader) (*Cookie, error) {
	password, err := randomHex(random, passwordBytes)
	if err != nil {
		return nil, err
	}
	line := cookieUser + ":" + password
	if err := replaceFile(path, line); err != nil {
		return nil, fmt.Errorf("write the RPC cookie: %w", err)
	}
	return &Cookie{newCredential(cookieUser, "", password), path, line}, nil
}

// Remove deletes the file, unless another run has written its own meanwhile.
func (c *Cookie) Remove() error {
	text, err := os.ReadFile(c.path)
	if err == nil && string(text) == c.line {
		err = os.Remove(c.path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the RPC cookie: %w", err)
	}
	return nil
}

func replaceFile(path, text string) error {
	// CreateTemp makes files of mode 0600.
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
