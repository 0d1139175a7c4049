package userdata

import (
	"regexp"
	"strings"
)

// windows runs the user's lines and then the start script of the EKS image, in PowerShell.
func windows(o Options) (string, error) {
	lines, rest, err := powerShell(o.User)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("<powershell>\n")
	if lines != "" {
		b.WriteString(lines + "\n")
	}
	b.WriteString(`[string]$EKSBootstrapScriptFile = "$env:ProgramFiles\Amazon\EKS\Start-EKSBootstrap.ps1"` + "\n")
	b.WriteString("& $EKSBootstrapScriptFile -EKSClusterName " + psQuote(o.ClusterName) +
		" -APIServerEndpoint " + psQuote(o.Endpoint))
	if o.CABundle != "" {
		b.WriteString(" -Base64ClusterCA " + psQuote(o.CABundle))
	}
	b.WriteString(" -KubeletExtraArgs " + psQuote(strings.Join(o.kubeletArgs(), " ")))
	if dns := o.dns(); len(dns) > 0 {
		b.WriteString(" -DNSClusterIP " + psQuote(dns[0]))
	}
	b.WriteString("\n</powershell>\n")
	if rest != "" {
		b.WriteString(rest + "\n")
	}
	return b.String(), nil
}

// psTag is how EC2's agent for Windows marks PowerShell. It knows other tags, such as <persist>, which stand beside.
var psTag = regexp.MustCompile(`(?i)</?powershell>`)

// powerShell splits what the user wrote into PowerShell, to run before ours, and what stands outside of its tags. Text
// without the tags is all PowerShell.
func powerShell(text string) (lines, rest string, err error) {
	tags := psTag.FindAllStringIndex(text, -1)
	switch {
	case len(tags) == 0:
		return strings.TrimSpace(text), "", nil
	case len(tags) != 2 || text[tags[0][0]+1] == '/' || text[tags[1][0]+1] != '/':
		return "", "", &Malformed{
			Line:   1 + strings.Count(text[:tags[0][0]], "\n"),
			Detail: "PowerShell must stand between one <powershell> and one </powershell>",
		}
	}
	before, after := strings.TrimSpace(text[:tags[0][0]]), strings.TrimSpace(text[tags[1][1]:])
	return strings.TrimSpace(text[tags[0][1]:tags[1][0]]), strings.TrimSpace(before + "\n" + after), nil
}

// psQuote makes one word of text for PowerShell.
func psQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
