package bench

// Unit is what a figure counts.
type Unit string

// The units.
const (
	PerSecond Unit = "/s"
	PerCPU    Unit = "/s cpu" // by a core's time
	Millis    Unit = "ms"
	Micros    Unit = "us"
	CPUMicros Unit = "us cpu" // of all cores together
	MiB       Unit = "MiB"
	Percent   Unit = "%"
	Count     Unit = ""
	Bytes     Unit = "B"
)

// perU says what value is by the unit U: how many in one U, how many U it
// takes, or nothing. wall and cpu are U in microseconds.
func (u Unit) perU(value, wall, cpu float64) (v float64, label string) {
	switch {
	case u == PerSecond:
		return value * wall / 1e6, "per U"
	case u == PerCPU:
		return value * cpu / 1e6, "per U"
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

// value is that of the figure with this name; 0 if there is none.
func (r *Result) value(name string) float64 {
	for _, f := range r.Figures {
		if f.Name == name {
			return f.Value
		}
	}
	return 0
}

// merge makes one figure of those with the same name: their median.
func (r *Result) merge() {
	var list []Figure
	values := make(map[string][]float64)
	for _, f := range r.Figures {
		if values[f.Name] == nil {
			list = append(list, f)
		}
		values[f.Name] = append(values[f.Name], f.Value)
	}
	for i := range list {
		list[i].Value = median(values[list[i].Name])
	}
	r.Figures = list
}
