package node

// Version of the programs, as major.minor.patch.
const Version = "0.1.0"
