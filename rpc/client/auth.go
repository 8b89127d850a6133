package client

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// Auth gives the user and password for each connection. It is called again
// for every request, so that a cookie that a restarted node wrote anew is
// found.
type Auth func() (user, password string, err error)

// Password always gives the same user and password.
func Password(user, password string) Auth {
	return func() (string, string, error) { return user, password, nil }
}

// CookieFile reads the line "user:password" that a running node keeps at path.
func CookieFile(path string) Auth {
	return func() (string, string, error) {
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return "", "", fmt.Errorf("cookie file %s is missing: is the node running with this data folder?", path)
		}
		if err != nil {
			return "", "", fmt.Errorf("read the node's cookie: %w", err)
		}
		user, password, ok := strings.Cut(strings.TrimSpace(string(text)), ":")
		if !ok {
			return "", "", fmt.Errorf("cookie file %s does not hold user:password", path)
		}
		return user, password, nil
	}
}
