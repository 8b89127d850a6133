package nodetest

import (
	"flag"
	"os"
	"runtime"
	"strconv"
	"testing"
)

// together is how many tests run side by side at least: they wait for blocks
// most of the time.
const together = 4

func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f != nil && f.Value.String() == f.DefValue {
		if err := f.Value.Set(strconv.Itoa(max(together, runtime.GOMAXPROCS(0)))); err != nil {
			panic(err)
		}
	}
	code := m.Run()
	Cleanup()
	os.Exit(code)
}
