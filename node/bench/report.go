package bench

import (
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"
)

// Report is the outcome of a run.
type Report struct {
	Machine Machine `json:"machine"`
	U       Spread  `json:"u_us"`     // one btcec Schnorr check, by the clock
	UCPU    Spread  `json:"u_cpu_us"` // the same in time of the core
	Lines   []Line  `json:"lines"`
}

// Line is one figure over all rounds.
type Line struct {
	Bench  string  `json:"bench"`
	Name   string  `json:"name"`
	Unit   Unit    `json:"unit"`
	Value  Spread  `json:"value"`
	PerU   *Spread `json:"per_u,omitempty"`   // each round by the U around it
	InUnit string  `json:"in_unit,omitempty"` // of PerU: "per U" or "U"
}

// Spread is a median and what lies around it.
type Spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	N      int     `json:"n"`
}

func spreadOf(list []float64) Spread {
	if len(list) == 0 {
		return Spread{}
	}
	return Spread{Median: median(list), Min: slices.Min(list), Max: slices.Max(list), N: len(list)}
}

// measured is a round with U before and after it.
type measured struct {
	Result
	wall, cpu float64
}

// lines sums rounds of one bench up.
func lines(name string, rounds []measured) []Line {
	var list []Line
	for i, first := range rounds[0].Figures {
		line := Line{Bench: name, Name: first.Name, Unit: first.Unit}
		var values, perU []float64
		for _, r := range rounds {
			if i >= len(r.Figures) {
				continue
			}
			f := r.Figures[i]
			values = append(values, f.Value)
			v, label := f.Unit.perU(f.Value, r.wall, r.cpu)
			if label != "" {
				perU, line.InUnit = append(perU, v), label
			}
		}
		line.Value = spreadOf(values)
		if len(perU) > 0 {
			s := spreadOf(perU)
			line.PerU = &s
		}
		list = append(list, line)
	}
	return list
}

// Text writes the report as a table.
func (r *Report) Text(w io.Writer) error {
	fmt.Fprintf(w, "%s, %d cores, %s, charterd %s\n", r.Machine.CPU, r.Machine.Cores, r.Machine.Go, r.Machine.Commit)
	fmt.Fprintf(w, "U = %s us (%s to %s, %d samples); of the core's time %s us\n\n",
		number(r.U.Median), number(r.U.Min), number(r.U.Max), r.U.N, number(r.UCPU.Median))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "bench\tfigure\tmedian\tmin to max\tby U\tmin to max\trounds")
	for _, l := range r.Lines {
		perU, span := "", ""
		if l.PerU != nil {
			perU, span = number(l.PerU.Median)+" "+l.InUnit, l.PerU.span()
		}
		fmt.Fprintf(t, "%s\t%s\t%s %s\t%s\t%s\t%s\t%d\n", l.Bench, l.Name, number(l.Value.Median), l.Unit, l.Value.span(), perU, span, l.Value.N)
	}
	return t.Flush()
}

// span is empty where there is one value only.
func (s Spread) span() string {
	if s.N < 2 {
		return ""
	}
	return number(s.Min) + " to " + number(s.Max)
}

// number prints three digits that count, and all before the point.
func number(v float64) string {
	if v == 0 {
		return "0"
	}
	digits := 2 - int(math.Floor(math.Log10(math.Abs(v))))
	return fmt.Sprintf("%.*f", max(0, min(digits, 6)), v)
}
