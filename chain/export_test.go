package chain

// VerifyWithin is VerifyChain with less memory for coins.
var VerifyWithin = (*Chain).verify
