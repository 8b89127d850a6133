package miner

import "slices"

// State says in one word what a miner does, or what keeps it from mining. Its
// text is stable: RPC replies and metric labels use it.
type State string

// The states of a miner.
const (
	StateMining     State = "mining"
	StateNotStarted State = "not-started"
	StateStopped    State = "stopped"
	StateHeld       State = "held"        // Config.Hold says so: syncing, disk low, snapshot not checked
	StateFailed     State = "failed"      // an error; tried again after a second
	StateBlockTime  State = "block-time"  // Config.BlockTime is not over
	StateMinSpacing State = "min-spacing" // the rules ask for time between blocks
	StateIdle       State = "idle"        // nothing waits, and empty blocks are not wanted

	// Where mining is restricted:

	StateNoKey        State = "no-key"              // no miner key is set
	StateNoMember     State = "no-member"           // the key is nobody's
	StateNotPermitted State = "not-permitted"       // key or member may not mine
	StateNotActive    State = "not-active"          // the member was not declared ready, or not long enough ago
	StateBarred       State = "barred"              // others have to seal first
	StateTurn         State = "turn"                // others whose turn it is are given time
	StateIsolated     State = "isolated"            // too few members that mine were seen lately
	StateConflict     State = "conflicting-history" // an operator has to decide
)

// States returns all states, for metrics.
func States() []State {
	return []State{
		StateMining, StateNotStarted, StateStopped, StateHeld, StateFailed, StateBlockTime, StateMinSpacing, StateIdle,
		StateNoKey, StateNoMember, StateNotPermitted, StateNotActive, StateBarred, StateTurn, StateIsolated, StateConflict,
	}
}

// notable reports whether an operator may want to know of the state.
func (s State) notable() bool {
	return slices.Contains([]State{StateHeld, StateNoKey, StateNoMember, StateNotPermitted, StateNotActive, StateIsolated, StateConflict}, s)
}

// passing reports whether the state is part of the ordinary beat of blocks:
// others have their turn meanwhile. After all other states that kept it from
// mining a member waits its turn anew, for the others were most likely kept
// from it too, and all would start at once.
func (s State) passing() bool {
	return slices.Contains([]State{StateMining, StateBlockTime, StateMinSpacing, StateBarred, StateTurn}, s)
}
