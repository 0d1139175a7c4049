package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/dovetail-sh/dovetail/internal/convert"
	"github.com/dovetail-sh/dovetail/internal/manifest"
)

type convertFlags struct {
	files   []string
	groups  groupFlags
	write   bool
	options convert.Options
}

func newConvert() *cobra.Command {
	var f convertFlags
	cmd := &cobra.Command{
		Use:   "convert -f FILES",
		Short: "Rewrite files for older releases of Karpenter, or groups of nodes, to NodePools",
		Long: `Rewrite manifests and Helm values for older releases of Karpenter.

Provisioners, AWSNodeTemplates, kinds of v1beta1, values such as settings.aws.* and names such as
karpenter.sh/do-not-evict become what is served now. Give all files at once: settings of the kubelet move
from a NodePool to its EC2NodeClass. What cannot be converted is an error with file and line, and then
nothing is written. Documents that hold nothing old stay as they are. Nothing is called.

With --from-asg and --from-eksctl a NodePool and an EC2NodeClass are made of each group of nodes that Cluster Autoscaler
scales; and with --against, which takes the cluster as kubectl prints it, it is said what its pods would cost on them.

The result goes to standard output, and what was decided to standard error.`,
		Example: `  dovetail convert -f karpenter/ > converted.yaml
  dovetail convert -f provisioner.yaml -f template.yaml -f values.yaml --write
  kubectl get provisioners,awsnodetemplates -o yaml |
    dovetail convert -f - --role KarpenterNodeRole-blue
  aws eks describe-nodegroup --cluster-name c --nodegroup-name g --output json |
    dovetail convert --from-asg - > nodepools.yaml
  dovetail convert --from-eksctl cluster.yaml --against cluster.json`,
		Args: noNames("convert"),
		RunE: func(cmd *cobra.Command, _ []string) error { return runConvert(cmd, &f) },
	}
	flags := cmd.Flags()
	flags.StringSliceVarP(
		&f.files,
		"filename",
		"f",
		nil,
		"a file, a directory with all below it, or - for standard input; may be repeated",
	)
	flags.BoolVar(
		&f.write,
		"write",
		false,
		"write each file back in place, if anything in it changes, instead of printing all",
	)
	flags.StringVar(
		&f.options.Role,
		"role",
		"",
		"IAM `role` of nodes whose AWSNodeTemplate names no instance profile",
	)
	flags.StringVar(
		&f.options.InstanceProfile,
		"instance-profile",
		"",
		"instance `profile` of such nodes, in place of a role",
	)
	flags.BoolVar(
		&f.options.IgnoreDefaults,
		"ignore-defaults",
		false,
		"do not add the requirements that every Provisioner had without saying so",
	)
	f.groups.add(cmd, &f.options)
	cmd.MarkFlagsMutuallyExclusive("role", "instance-profile")
	cmd.MarkFlagsMutuallyExclusive("filename", "from-asg", "from-eksctl")
	return cmd
}

func runConvert(cmd *cobra.Command, f *convertFlags) error {
	if f.groups.given() {
		return f.groups.run(cmd, f.options)
	}
	if f.options.Alias != "" || len(f.groups.against) > 0 {
		return usage("--ami-alias and --against are about groups of nodes; give those with --from-asg or --from-eksctl")
	}
	if len(f.files) == 0 {
		return usage("nothing to convert; give files with -f")
	}
	sources, err := manifest.Sources(f.files, cmd.InOrStdin())
	if err != nil {
		return asUsage(err)
	}
	result, err := convert.Files(sources, f.options)
	if err != nil {
		return usage("nothing is written, because of\n%w", err)
	}
	if f.write {
		if err := writeBack(result.Files); err != nil {
			return err
		}
	} else if err := printFiles(cmd.OutOrStdout(), result.Files); err != nil {
		return err
	}
	return report(cmd.ErrOrStderr(), result)
}

// printFiles prints files as one stream of documents.
func printFiles(w io.Writer, files []convert.File) error {
	for i, file := range files {
		text := file.Text
		if i > 0 {
			text = append([]byte("---\n"), text...)
		}
		if i < len(files)-1 && !bytes.HasSuffix(text, []byte("\n")) {
			text = append(text, '\n')
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
	}
	return nil
}

// writeBack replaces files that changed, each at once.
func writeBack(files []convert.File) error {
	for _, file := range files {
		if !file.Changed {
			continue
		}
		if file.Name == manifest.StandardInput {
			return usage("--write cannot write back to standard input")
		}
		if err := replace(file.Name, file.Text); err != nil {
			return fmt.Errorf("writing %s: %w", file.Name, err)
		}
	}
	return nil
}

// replace puts a text in place of that of a file, and keeps who may read it.
func replace(name string, text []byte) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	made, err := os.CreateTemp(filepath.Dir(name), ".convert-*")
	if err != nil {
		return err
	}
	defer os.Remove(made.Name())
	_, err = made.Write(text)
	if err = errors.Join(err, made.Chmod(info.Mode().Perm()), made.Close()); err != nil {
		return err
	}
	return os.Rename(made.Name(), name)
}

// report says what was decided, and what stayed.
func report(w io.Writer, r *convert.Result) error {
	changed := 0
	for _, file := range r.Files {
		if file.Changed {
			changed++
		}
	}
	var b bytes.Buffer
	for _, note := range r.Notes {
		fmt.Fprintln(&b, note)
	}
	for _, passed := range r.Passed {
		fmt.Fprintf(&b, "%s: nothing old in it\n", passed)
	}
	fmt.Fprintf(&b, "%d of %d files changed\n", changed, len(r.Files))
	_, err := w.Write(b.Bytes())
	return err
}
