package view

import (
	"fmt"
	"html/template"
	"io"
	"strings"
)

// Text writes the report for a terminal of so many columns; 0 for lines as long as they must be.
func (s *Shadow) Text(w io.Writer, width int) error {
	t := &lines{}
	sheet := s.sheet()
	fmt.Fprintf(t, "%s\n", sheet.Verdict)
	for _, p := range sheet.Parts {
		fmt.Fprintf(t, "\n%s\n", strings.ToUpper(p.Heading))
		if len(p.Rows) > 0 {
			t.grid(width, p.Rows...)
		}
		for _, line := range p.Lines {
			t.WriteString(Clean(line) + "\n")
		}
	}
	_, err := io.WriteString(w, t.String())
	return err
}

// Markdown writes the report for a ticket or a pull request.
func (s *Shadow) Markdown(w io.Writer) error {
	t := &lines{}
	sheet := s.sheet()
	fmt.Fprintf(t, "# %s\n\n**%s**\n", sheet.Title, markdown(sheet.Verdict))
	for _, p := range sheet.Parts {
		fmt.Fprintf(t, "\n## %s\n", p.Heading)
		for _, line := range p.Lines {
			fmt.Fprintf(t, "\n%s\n", markdown(line))
		}
		for i, row := range p.Rows {
			if i == 0 {
				t.WriteString("\n")
			}
			cells := make([]string, len(row))
			for k, cell := range row {
				cells[k] = markdown(cell)
			}
			fmt.Fprintf(t, "| %s |\n", strings.Join(cells, " | "))
			if i == 0 {
				t.WriteString(strings.Repeat("|---", len(row)) + "|\n")
			}
		}
	}
	_, err := io.WriteString(w, t.String())
	return err
}

// markdown is a text that means nothing to a reader of Markdown: names in a cluster may come from anybody.
func markdown(text string) string {
	return strings.NewReplacer(`\`, `\\`, "|", `\|`, "<", "&lt;", "&", "&amp;", "*", `\*`, "_", `\_`, "`", "\\`",
		"[", `\[`, "]", `\]`, "$", `\$`).Replace(Clean(text))
}

// HTML writes the report as one file that needs nothing else: no scripts, fonts or pictures.
func (s *Shadow) HTML(w io.Writer) error { return shadowPage.Execute(w, s.sheet()) }

// shadowPage escapes all that it is handed.
var shadowPage = template.Must(template.New("shadow").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{{.Title}}</title>
<style>
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #ffffff; --soft: #57606a; --line: #d0d7de; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117; --soft: #9ea7b3; --line: #3d444d; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem auto;
  max-width: 60rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.verdict { font-size: 1.2rem; font-weight: 600; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
thead th { color: var(--soft); font-weight: 600; }
</style>
</head>
<body>
<main>
<h1>{{.Title}}</h1>
<p class="verdict">{{.Verdict}}</p>
{{range .Parts}}<section>
<h2>{{.Heading}}</h2>
{{range .Lines}}<p>{{.}}</p>
{{end}}{{if .Rows}}<div class="wide" tabindex="0" role="region" aria-label="{{.Heading}}"><table>
{{range $i, $row := .Rows}}{{if eq $i 0}}<thead><tr>{{range $row}}<th scope="col">{{.}}</th>{{end}}</tr></thead>
<tbody>
{{else}}<tr>{{range $row}}<td>{{.}}</td>{{end}}</tr>
{{end}}{{end}}</tbody>
</table></div>
{{end}}</section>
{{end}}</main>
</body>
</html>
`))
