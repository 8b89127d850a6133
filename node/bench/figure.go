package bench

// Unit is what a figure counts.
type Unit string

// The units.
const (
	PerSecond Unit = "/s"
	Millis    Unit = "ms"
	Micros    Unit = "us"
	CPUMicros Unit = "us cpu" // of all cores together
	MiB       Unit = "MiB"
	Ratio     Unit = "%"
)

// perU says what value is by the unit U: how many in one U, how many U it
// takes, or nothing. wall and cpu are U in microseconds.
func (u Unit) perU(value, wall, cpu float64) (v float64, label string) {
	switch {
	case u == PerSecond:
		return value * wall / 1e6, "per U"
	case u == Millis && wall > 0:
		return value * 1e3 / wall, "U"
	case u == Micros && wall > 0:
		return value / wall, "U"
	case u == CPUMicros && cpu > 0:
		return value / cpu, "U"
	}
	return 0, ""
}

// Figure is what one round measured.
type Figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  Unit    `json:"unit"`
}

// Result is what one round found out.
type Result struct {
	Figures []Figure `json:"figures"`
}

func (r *Result) add(name string, value float64, unit Unit) {
	r.Figures = append(r.Figures, Figure{name, value, unit})
}
