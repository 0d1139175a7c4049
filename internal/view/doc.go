// Package view holds what people and programs are shown of a plan: read models with stable JSON,
// and their tables in plain text. It decides nothing; prices become dollars here.
package view
