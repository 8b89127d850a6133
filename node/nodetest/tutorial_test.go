//go:build unix

package nodetest

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

var update = flag.Bool("update", false, "write what the tutorial's commands print into it")

// tutorial is where the tutorial is.
var tutorial = filepath.Join("..", "..", "configs", "tutorial.md")

// tutorialPorts are those that its nodes listen on.
var tutorialPorts = []string{"8430", "8431", "8432", "8440", "8441", "8442", "8450", "8451", "8452"}

// TestTutorial runs every command of the tutorial as it is printed, in one
// shell, and compares what is printed with the tutorial, but for what differs
// from run to run.
func TestTutorial(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("needs bash")
	}
	for _, port := range tutorialPorts {
		ln, err := net.Listen("tcp", ":"+port)
		if err != nil {
			t.Skipf("port %s of the tutorial is in use: %v", port, err)
		}
		if err := ln.Close(); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(tutorial)
	if err != nil {
		t.Fatal(err)
	}
	sh := newShell(t)
	var out strings.Builder
	for _, s := range sections(string(text)) {
		if s.command == "" {
			out.WriteString(s.text)
			continue
		}
		got := sh.run(s.command)
		fmt.Fprintf(&out, "$ %s\n%s", s.command, got)
		if want := masked(s.text); !*update && masked(got) != want {
			t.Errorf("$ %s\nprints:\n%s\nthe tutorial says:\n%s", s.command, got, s.text)
		}
	}
	if *update {
		writeFile(t, tutorial, out.String())
	}
}

// section is text of the tutorial, or a command and what it prints.
type section struct{ command, text string }

func sections(doc string) []section {
	list := []section{{}}
	fenced := false
	for line := range strings.Lines(doc) {
		at := &list[len(list)-1]
		switch {
		case strings.HasPrefix(line, "```"):
			fenced = !fenced
			if at.command != "" {
				list = append(list, section{})
				at = &list[len(list)-1]
			}
			at.text += line
		case fenced && strings.HasPrefix(line, "$ "):
			list = append(list, section{command: strings.TrimSuffix(line[2:], "\n")})
		default:
			at.text += line
		}
	}
	return list
}

// masks are what differs from run to run: keys, addresses, hashes, words of a
// wallet, heights, times, the order of members.
var masks = []*regexp.Regexp{
	regexp.MustCompile(`charter-key:\S+`),
	regexp.MustCompile(`(?m)^( +\d+ [a-z]+)+ *$`),
	regexp.MustCompile(`acme1[a-z0-9]+`),
	regexp.MustCompile(`[0-9a-f]{12,}`),
	regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`),
	regexp.MustCompile(`\((alpha|beta|gamma)(, (alpha|beta|gamma))*\)`), // by id
	regexp.MustCompile(`\b\d+\b`),
	regexp.MustCompile(` +`),
}

func masked(text string) string {
	for _, m := range masks {
		text = m.ReplaceAllString(text, "#")
	}
	lines := strings.Split(text, "\n") // keys are listed in their own order
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// shell is a shell in an empty folder that finds the programs.
type shell struct {
	t     *testing.T
	c     *Cluster
	in    io.WriteCloser
	out   *bufio.Reader
	count int
}

func newShell(t *testing.T) *shell {
	t.Helper()
	s := &shell{t: t, c: New(t)}
	cmd := exec.Command("bash", "--norc", "--noprofile")
	cmd.Dir = s.c.Dir
	cmd.Env = append(environ(), "PATH="+s.c.bin+string(os.PathListSeparator)+os.Getenv("PATH"), "HOME="+s.c.Dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = write, write
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // with the nodes that it started
		_ = cmd.Wait()
		_ = write.Close()
		_ = read.Close()
		if t.Failed() {
			for _, name := range []string{"alpha", "beta", "gamma"} {
				if log, err := os.ReadFile(filepath.Join(s.c.Dir, name+".log")); err == nil {
					t.Logf("log of %s:\n%s", name, log)
				}
			}
		}
	})
	s.in, s.out = in, bufio.NewReader(read)
	return s
}

// run carries out a command and returns what it printed. Then it waits as
// somebody at a keyboard would: until a node that was started serves, and
// until what was sent is in a block and holds.
func (s *shell) run(command string) string {
	s.t.Helper()
	out, code := s.do(command)
	if refused := strings.HasSuffix(command, "# refused"); refused != (code != 0) {
		s.t.Fatalf("$ %s\nexit code %d:\n%s", command, code, out)
	}
	if strings.HasPrefix(command, "charterd ") {
		name := strings.Fields(command[strings.Index(command, "--datadir ")+10:])[0]
		s.until("charter --chain acme --datadir " + name + " rpc getblockcount")
		s.until(`test "$(charter --chain acme --datadir ` + name + ` rpc getblockcount)" -ge "$(alpha rpc getblockcount)"`)
	}
	if strings.Contains(out, "Sent ") {
		s.settle()
	}
	return blanks.ReplaceAllString(out, "\n")
}

// blanks end lines of tables.
var blanks = regexp.MustCompile(` +\n`)

// settle waits until nothing waits at any node, and all have one tip.
func (s *shell) settle() {
	s.t.Helper()
	names := []string{"alpha"}
	for _, name := range []string{"beta", "gamma"} {
		if _, err := os.Stat(filepath.Join(s.c.Dir, name, "acme", ".cookie")); err == nil {
			names = append(names, name)
		}
	}
	for _, name := range names {
		s.until(`test "$(` + name + ` rpc getrawmempool)" = "[]"`)
	}
	for _, name := range names {
		s.until(`test "$(` + name + ` rpc getblockcount)" -ge "$(alpha rpc getblockcount)"`)
	}
}

// until repeats a command until it works.
func (s *shell) until(command string) {
	s.t.Helper()
	s.c.Eventually(command, func() error {
		if out, code := s.do(command); code != 0 {
			return fmt.Errorf("exit code %d: %s", code, out)
		}
		return nil
	})
}

// do carries out a command and returns what it printed, and its exit code.
func (s *shell) do(command string) (string, int) {
	s.t.Helper()
	s.count++
	mark := fmt.Sprintf("--- end of %d: ", s.count)
	if _, err := fmt.Fprintf(s.in, "%s\nprintf '%%s%%d\\n' '%s' $?\n", command, mark); err != nil {
		s.t.Fatal(err)
	}
	var out strings.Builder
	for {
		line, err := s.out.ReadString('\n')
		if err != nil {
			s.t.Fatalf("$ %s\nthe shell ended: %v\n%s", command, err, out.String())
		}
		before, after, ok := strings.Cut(line, mark)
		out.WriteString(before)
		if !ok {
			continue
		}
		code := 0
		if _, err := fmt.Sscan(after, &code); err != nil {
			s.t.Fatal(err)
		}
		return out.String(), code
	}
}
