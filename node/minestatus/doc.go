// Package minestatus says how mining stands on a chain where it is
// restricted: who mines, who was seen lately, how many more members may be
// lost before the chain stops, and from which depth a block is safe. The RPC
// method getminingstatus, metrics and warnings show it.
//
// Read takes a view of a chain; Build, which is pure, draws the conclusions.
//
// # Seen, and how many may fail
//
// A member was seen lately if a node of it was, by a session or a signed
// message within three times the spacing; if it sealed a block in that time;
// or if it is this node's. As long as w (Required) of the members that mine
// live, the chain goes on. MayFail counts those beyond that which were seen.
// It is at most n-w, so it is 0 on a chain that never could lose anybody; a
// warning is given only where someone is missing, and then when one more loss,
// or the next one, stops the chain.
//
// A node that cannot see who is present (View.Present nil) goes by blocks alone.
package minestatus
