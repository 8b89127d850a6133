package bench

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/charterchain/charter/node/bench/workload"
)

// rpcInstrument sends payments to a node over JSON-RPC.
func rpcInstrument() instrument {
	return instrument{
		name:     "rpc",
		about:    "payments into the pool by sendrawtransaction on 8 connections; the client runs on the same cores",
		standard: workload.P2TR,
		spec:     poolSpec,
		round:    rpcRound,
	}
}

const connections = 8

func rpcRound(ctx context.Context, j Job) (result Result, err error) {
	c, txs, err := j.payments(ctx)
	if err != nil {
		return result, err
	}
	bodies := make([][]byte, len(txs))
	for i, tx := range txs {
		var raw bytes.Buffer
		if err := tx.Msg.Serialize(&raw); err != nil {
			return result, err
		}
		bodies[i] = fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"method":"sendrawtransaction","params":["%s"]}`, i, hex.EncodeToString(raw.Bytes()))
	}
	err = j.inScratch(func(dir string) error {
		return j.withNode(ctx, c, dir, func(n *running) error {
			if err := n.load(ctx, c.Funding); err != nil {
				return err
			}
			t, err := j.measure(func() error { return sendAll(ctx, n.RPCURL(), bodies) })
			if err != nil {
				return err
			}
			result.add("transactions", float64(len(txs))/t.wall.Seconds(), PerSecond)
			result.add("computing for a transaction, with the client's", micros(t.cpu)/float64(len(txs)), CPUMicros)
			return nil
		})
	})
	return result, err
}

// sendAll posts bodies on connections that each wait for the answer.
func sendAll(ctx context.Context, url string, bodies [][]byte) error {
	g, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range connections {
		g.Go(func() error {
			client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1, DisableCompression: true}}
			defer client.CloseIdleConnections()
			for {
				i := int(next.Add(1) - 1)
				if i >= len(bodies) {
					return nil
				}
				if err := post(ctx, client, url, bodies[i]); err != nil {
					return fmt.Errorf("transaction %d: %w", i, err)
				}
			}
		})
	}
	return g.Wait()
}

func post(ctx context.Context, client *http.Client, url string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.SetBasicAuth(rpcUser, rpcPass)
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	var reply struct {
		Error json.RawMessage
	}
	if err := json.Unmarshal(text, &reply); err != nil {
		return fmt.Errorf("%s: %w", resp.Status, err)
	}
	if len(reply.Error) > 0 && string(reply.Error) != "null" {
		return fmt.Errorf("sendrawtransaction: %s", reply.Error)
	}
	return nil
}
