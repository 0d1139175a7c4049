// Package compare runs both planners on the same inputs and shows what each took and bought.
//
// Figures are medians of several runs. The peer takes minutes where we take milliseconds, so it gets fewer
// of them; the table says how many.
package compare
