package cli

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/dovetail-sh/dovetail/awssim/control"
	"github.com/dovetail-sh/dovetail/awssim/fault"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// marketAnswer is what market prints.
type marketAnswer struct {
	view.Header
	Pools []control.Pool `json:"pools"`
}

// Text writes one line for each pool.
func (m marketAnswer) Text(w io.Writer) error {
	if len(m.Pools) == 0 {
		_, err := fmt.Fprintln(w, "no spot pool is in use; name a type to see its pools")
		return err
	}
	rows := make([]string, len(m.Pools))
	for i, p := range m.Pools {
		rows[i] = fmt.Sprintf("%s\t%s\t%s\t%d%%\t%.2f\t%d\t%s", p.Type, p.Zone, dollars(p.Price), 100-100*p.Price/max(1,
			p.OnDemand),
			p.Pressure, p.InUse, left(p.Available))
	}
	return table(w, "TYPE\tZONE\tSPOT $/h\tSAVES\tPRESSURE\tIN USE\tLEFT", rows)
}

func newSimMarket(s *simulated) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "market [TYPE]",
		Short: "Show the spot pools of a type, or those in use",
		Long: `Show the spot pools of a type, or those in use: price, pressure, and how many machines are left.

Pressure is how hard others ask for a pool, from 0 to 1. Prices, capacity, interruptions and rebalance
recommendations follow it while the market moves ('dovetail sim set --moving').`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := oneOf("-o", output, tableOrJSON); err != nil {
				return err
			}
			client, err := s.client()
			if err != nil {
				return err
			}
			kind := ""
			if len(args) > 0 {
				kind = args[0]
			}
			pools, err := client.Market(cmd.Context(), kind)
			if err != nil {
				return err
			}
			if len(pools) == 0 && kind != "" {
				return fmt.Errorf("nobody sells %s on spot in this region; want a type such as m5.large", kind)
			}
			answer := marketAnswer{simHeader("SimulatedMarket"), append([]control.Pool{}, pools...)}
			return write(cmd.OutOrStdout(), output, answer, answer.Text)
		},
	}
	addOutput(cmd, &output)
	cmd.AddCommand(newSimSqueeze(s), newSimCapacity(s))
	return cmd
}

// dollars writes micro-dollars.
func dollars(micro int64) string { return strconv.FormatFloat(float64(micro)/1e6, 'f', 4, 64) }

func left(n *int) string {
	if n == nil {
		return "no end"
	}
	return strconv.Itoa(*n)
}

func newSimSqueeze(s *simulated) *cobra.Command {
	var zone string
	var lasts time.Duration
	cmd := &cobra.Command{
		Use:   "squeeze TYPE",
		Short: "Have others want all of a type's spot pools for a while",
		Long: `Have others want all of a type's spot pools for a while: no capacity, the highest price, and within
minutes all instances are taken back. TYPE may be '*'. --for 0 ends all squeezes.`,
		Example: `  dovetail sim market squeeze m5.large --zone us-east-1a --for 30m`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := s.client()
			if err != nil {
				return err
			}
			kind := args[0]
			if kind == "*" {
				kind = ""
			}
			return client.Squeeze(cmd.Context(), control.Squeeze{Type: kind, Zone: zone, For: fault.Duration(lasts)})
		},
	}
	cmd.Flags().StringVar(&zone, "zone", "", "only in this zone")
	cmd.Flags().DurationVar(&lasts, "for", time.Hour, "how long, by the account's clock")
	return cmd
}

func newSimCapacity(s *simulated) *cobra.Command {
	var zone, capacityType string
	cmd := &cobra.Command{
		Use:   "capacity TYPE COUNT",
		Short: "Set how many more instances a type's pools can launch",
		Long: `Set how many more instances a type's pools can launch. TYPE may be '*'. A COUNT of 'any' takes the limit
away, and lets the market decide while it moves.`,
		Example: `  dovetail sim market capacity 'm5.large' 0 --zone us-east-1a
  dovetail sim market capacity '*' any`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := s.client()
			if err != nil {
				return err
			}
			pool := control.Capacity{Type: args[0], Zone: zone, Capacity: capacityType}
			if args[1] != "any" {
				n, err := strconv.Atoi(args[1])
				if err != nil {
					return usage("COUNT is %q, want a number or any", args[1])
				}
				pool.Available = &n
			}
			return client.SetCapacity(cmd.Context(), pool)
		},
	}
	cmd.Flags().StringVar(&zone, "zone", "*", "only in this zone")
	cmd.Flags().StringVar(&capacityType, "capacity-type", "spot", "spot or on-demand")
	return cmd
}
