package verdict

import (
	"fmt"
	"math"
	"strconv"

	"github.com/go-analyze/charts"

	"github.com/dovetail-sh/dovetail/bench/arena/gauge"
)

// Size of a plot, in pixels, and how many points and labels its axis of time has.
const (
	plotWidth  = 860
	plotHeight = 360
	plotPoints = 240
	plotLabels = 9
)

// series is a line by name; at is its value at a second, and false where it has ended.
type series struct {
	name string
	at   func(second float64) (float64, bool)
}

// plot draws lines over time as an SVG.
func plot(title string, seconds float64, lines []series) ([]byte, error) {
	step := math.Max(1, seconds/plotPoints)
	n := int(seconds/step) + 1
	labels := make([]string, n)
	values := make([][]float64, len(lines))
	for i := range n {
		at := float64(i) * step
		labels[i] = strconv.Itoa(int(math.Round(at))) + " s"
		for j, l := range lines {
			v, there := l.at(at)
			if !there {
				v = charts.GetNullValue()
			}
			values[j] = append(values[j], v)
		}
	}
	names := make([]string, len(lines))
	for i, l := range lines {
		names[i] = l.name
	}
	p := charts.NewPainter(
		charts.PainterOptions{OutputFormat: charts.ChartOutputSVG, Width: plotWidth, Height: plotHeight},
	)
	o := charts.NewLineChartOptionWithData(values)
	o.Title = charts.TitleOption{Text: title}
	o.Legend = charts.LegendOption{SeriesNames: names, Offset: charts.OffsetStr{Top: "bottom"}}
	o.XAxis.Labels, o.XAxis.LabelCount = labels, plotLabels
	o.Symbol = charts.Symbol{Shape: charts.SymbolNone}
	o.LineStrokeWidth = 2
	o.YAxis = []charts.YAxisOption{{Min: charts.Ptr(0.0)}}
	if err := p.LineChart(o); err != nil {
		return nil, fmt.Errorf("plotting %q: %w", title, err)
	}
	picture, err := p.Bytes()
	if err != nil {
		return nil, fmt.Errorf("plotting %q: %w", title, err)
	}
	return picture, nil
}

// over is a line through the points of a timeline.
func over(name string, points []gauge.Point, value func(gauge.Point) float64) series {
	return series{name: name, at: func(second float64) (float64, bool) {
		if len(points) == 0 || second > points[len(points)-1].At {
			return 0, false
		}
		last := points[0]
		for _, p := range points {
			if p.At > second {
				break
			}
			last = p
		}
		return value(last), true
	}}
}
