package message

// Features is a set of feature bits, announced in Hello. A node sends a
// message, or a form of it, that a bit introduces only to peers that
// announced the bit.
//
// Bits 0 to 47 are optional: a node ignores those it does not know. Bits 48
// to 63 are required: a node refuses a peer with one that it does not know.
type Features uint64

// The feature bits. A bit is never used again for something else.
const (
	// FeatureChain: serves headers and whole blocks from genesis on.
	FeatureChain Features = 1 << 0

	// FeatureRecent: serves headers from genesis on and the blocks of the
	// best branch down to at least 288 below the tip, or to a UTXO snapshot
	// that it has started from. Implied by FeatureChain.
	FeatureRecent Features = 1 << 1

	// FeatureTxRelay: wants to hear of unconfirmed transactions (Inv).
	FeatureTxRelay Features = 1 << 2

	// FeaturePeers: answers GetPeers.
	FeaturePeers Features = 1 << 3

	// FeatureCompactBlocks: takes CompactBlock, GetBlockTxns and BlockTxns.
	FeatureCompactBlocks Features = 1 << 4

	// FeatureFilters: answers GetFilters (BIP158 basic filters).
	FeatureFilters Features = 1 << 5

	// FeatureChainFile: answers GetChainFile.
	FeatureChainFile Features = 1 << 6

	// FeaturePresence: takes Presence and passes it on.
	FeaturePresence Features = 1 << 7

	// FeatureHints: takes HintedBlock, and InvHintedBlock in GetData.
	FeatureHints Features = 1 << 8
)

// requiredFeatures are the bits that must be understood.
const requiredFeatures Features = 0xffff << 48

// Has reports whether all bits of want are set.
func (f Features) Has(want Features) bool { return f&want == want }

// UnknownRequired returns the required bits that this version does not
// know; a peer that has any is refused.
func (f Features) UnknownRequired() Features { return f & requiredFeatures }
