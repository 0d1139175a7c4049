package command

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/dovetail-sh/dovetail/playground/cluster"
)

func newKubeconfig() *cobra.Command {
	var dir, user string
	var groups []string
	cmd := &cobra.Command{
		Use:   "kubeconfig",
		Short: "Print the path of a cluster's kubeconfig: the administrator's, or one made for --user",
		Example: "  export KUBECONFIG=$(playground kubeconfig)\n" +
			"  playground kubeconfig --user jane --group developers\n" +
			"  playground kubeconfig --user system:serviceaccount:dovetail:dovetail --group system:serviceaccounts",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if user == "" && len(groups) > 0 {
				return errors.New("--group needs --user: groups belong to somebody")
			}
			s, err := cluster.Find(dir)
			if err != nil {
				return err
			}
			path := s.Kubeconfig
			if user != "" {
				if path, err = s.KubeconfigOf(user, groups...); err != nil {
					return err
				}
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), path)
			return err
		},
	}
	addDirFlag(cmd, &dir)
	cmd.Flags().StringVar(&user, "user", "", "mint a kubeconfig in which this user acts")
	cmd.Flags().StringSliceVar(&groups, "group", nil, "a group of the user; may be given several times")
	return cmd
}
