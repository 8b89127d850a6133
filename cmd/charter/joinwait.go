package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/charterchain/charter/node/joining"
	"github.com/charterchain/charter/rpc/client"
)

// How often a node that waits asks.
const (
	knockFirst   = time.Second
	knockLongest = 10 * time.Second
	followPause  = time.Second
)

// errGone is the end of following a node that no longer answers.
var errGone = errors.New("the node does not answer any more")

// wait ends when the node may connect, or, where it runs, when it has caught
// up.
func (j *joiner) wait(ctx context.Context) error {
	s := j.e.newStatus()
	defer s.done()
	if c := j.running(ctx); c != nil {
		return j.follow(ctx, c, s)
	}
	for pause := knockFirst; ; pause = min(2*pause, knockLongest) {
		err := j.door.Knock(ctx, j.chain, j.key)
		var refused *joining.Refusal
		switch {
		case err == nil:
			j.Admitted = true
			s.done()
			j.say("Let in. Start the node, which catches up by itself:\n  charterd --chain %s%s\n", j.Chain, j.e.datadirFlag())
			return nil
		case ctx.Err() != nil:
			return j.interrupted()
		case errors.As(err, &refused) && refused.Final:
			return err
		case errors.As(err, &refused):
			s.show("Waiting to be let in: %s", refused.Reason)
		default:
			s.show("Waiting for %s: %v", j.door.Target(), err)
		}
		if !pauseFor(ctx, pause) {
			return j.interrupted()
		}
		if c := j.running(ctx); c != nil {
			return j.follow(ctx, c, s)
		}
	}
}

func (j *joiner) interrupted() error {
	return errors.New("interrupted; what was made stays, and the same command goes on from here")
}

// running is the node of this folder, if it answers.
func (j *joiner) running(ctx context.Context) *client.Client {
	c, err := j.e.client()
	if err != nil {
		return nil
	}
	var hash string
	if c.Call(ctx, "getblockhash", []any{0}, &hash) != nil || hash != j.GenesisHash {
		return nil
	}
	return c
}

// follow watches a running node until it has caught up with its peers.
func (j *joiner) follow(ctx context.Context, c *client.Client, s *status) error {
	for {
		done, text, err := j.look(ctx, c)
		if ctx.Err() != nil {
			return j.interrupted()
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errGone, err)
		}
		if done {
			s.done()
			j.Admitted = true
			j.say("%s\n", text)
			return nil
		}
		s.show("%s", text)
		if !pauseFor(ctx, followPause) {
			return j.interrupted()
		}
	}
}

// look asks a running node how far it is.
func (j *joiner) look(ctx context.Context, c *client.Client) (done bool, text string, err error) {
	var info struct {
		Blocks  int32 `json:"blocks"`
		Headers int32 `json:"headers"`
		Initial bool  `json:"initialblockdownload"`
	}
	if err := c.Call(ctx, "getblockchaininfo", nil, &info); err != nil {
		return false, "", err
	}
	var peers int
	if err := c.Call(ctx, "getconnectioncount", nil, &peers); err != nil {
		return false, "", err
	}
	if peers == 0 {
		return j.lookOutside(ctx, c)
	}
	if info.Initial || info.Blocks < info.Headers {
		return false, fmt.Sprintf("The node catches up: block %d of %d", info.Blocks, info.Headers), nil
	}
	return true, fmt.Sprintf("The node runs and has caught up: block %d.", info.Blocks), nil
}

// lookOutside asks why a running node has no peers. A node that was refused asks
// again by and by; where it would be let in now, it is told so.
func (j *joiner) lookOutside(ctx context.Context, c *client.Client) (done bool, text string, err error) {
	own, err := c.JoinInfo(ctx, j.door.Target())
	if err != nil || len(own.RefusedBy) == 0 {
		return false, "The node runs and has no peers yet", err
	}
	if j.door.Knock(ctx, j.chain, j.key) != nil {
		return false, "The node runs and waits to be let in: " + own.RefusedBy[0].Problem, nil
	}
	return false, "Let in; the node connects", c.Call(ctx, "addnode", []any{j.door.Peer(), "onetry"}, nil)
}

// say prints for people.
func (j *joiner) say(format string, args ...any) {
	if !j.e.flags.json {
		fmt.Fprintf(j.e.stdout, format, args...)
	}
}

// pauseFor waits; false: ctx ended.
func pauseFor(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// status is one line on the standard error that says what is waited for. On a
// terminal it is written over, elsewhere each new text is a line.
type status struct {
	e        *env
	terminal bool
	last     string
}

func (e *env) newStatus() *status {
	out, ok := e.stderr.(*os.File)
	return &status{e: e, terminal: ok && term.IsTerminal(int(out.Fd()))}
}

func (s *status) show(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if text == s.last {
		return
	}
	if s.terminal && s.last != "" {
		fmt.Fprint(s.e.stderr, "\r\x1b[K")
	}
	s.last = text
	end := "\n"
	if s.terminal {
		end = ""
	}
	fmt.Fprint(s.e.stderr, text+end)
}

// done leaves the line.
func (s *status) done() {
	if s.terminal && s.last != "" {
		fmt.Fprintln(s.e.stderr)
	}
	s.last = ""
}
