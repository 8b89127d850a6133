package store

// KeepRows makes a store keep n commit rows.
func (c *Config) KeepRows(n uint64) { c.keep = n }

// Tamper changes rows of the chain state behind the back of the checks.
func (s *Store) Tamper(change func(get func(key []byte) []byte, put func(key, value []byte), del func(key []byte))) error {
	tr, err := s.chainstate.OpenTransaction()
	if err != nil {
		return err
	}
	change(func(key []byte) []byte {
		v, _ := tr.Get(key, nil)
		return v
	}, func(key, value []byte) {
		tr.Put(key, value, nil)
	}, func(key []byte) {
		tr.Delete(key, nil)
	})
	return tr.Commit()
}

// For tests of the formats.
var (
	CommitKey       = commitKey
	EncodeBest      = encodeBest
	DecodeCommitRow = decodeCommitRow
	FindLogDamage   = findLogDamage
)

// Encode is the value of a commit row.
func (r *CommitRow) Encode() []byte { return r.encode() }
