package rpc

import (
	"github.com/charterchain/charter/chain/permission/packet"
	"github.com/charterchain/charter/chain/permission/record"
)

// unsigned is the PSBT, in base64, of a transaction that spends coins for
// records.
func unsigned(records []record.Record, coins []speakingCoin) (string, error) {
	spent := make([]packet.Coin, len(coins))
	for i := range coins {
		spent[i] = packet.Coin{OutPoint: coins[i].op, Amount: coins[i].amount, Script: coins[i].script}
	}
	p, err := packet.New(records, spent)
	if err != nil {
		return "", err
	}
	return p.Encode()
}
