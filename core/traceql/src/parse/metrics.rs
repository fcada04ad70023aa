//! Metrics functions and second stages (traceql.md §2.6).

use super::Parser;
use super::combine::Item;
use crate::ast::{Field, MetricsFunction, SecondStage};
use crate::error::ParseError;
use crate::lexer::Token;
use crate::limits::DEFAULT_COMPARE_TOP;

impl Parser<'_> {
    /// A metrics function with its `by`, or `topk` or `bottomk`.
    pub(super) fn metrics_stage(&mut self) -> Result<Item, ParseError> {
        let Token::Word(word) = self.advance()? else {
            return Err(self.unexpected("a metrics function"));
        };
        self.expect(&Token::ParenOpen, &format!("`(` after `{word}`"))?;
        let mut depth = 1;
        let function = match word {
            "rate" => MetricsFunction::Rate,
            "count_over_time" => MetricsFunction::CountOverTime,
            "min_over_time" => MetricsFunction::MinOverTime(self.field()?),
            "max_over_time" => MetricsFunction::MaxOverTime(self.field()?),
            "avg_over_time" => MetricsFunction::AvgOverTime(self.field()?),
            "sum_over_time" => MetricsFunction::SumOverTime(self.field()?),
            "histogram_over_time" => MetricsFunction::HistogramOverTime(self.field()?),
            "quantile_over_time" => {
                let field = self.field()?;
                MetricsFunction::QuantileOverTime(field, self.quantiles()?)
            }
            "topk" | "bottomk" => {
                let count = self.integer("a whole number")?;
                self.expect(&Token::ParenClose, "`)`")?;
                return Ok(Item::Second(vec![match word {
                    "topk" => SecondStage::TopK(count),
                    _ => SecondStage::BottomK(count),
                }]));
            }
            _ => {
                let (function, filter_depth) = self.compare()?;
                depth += filter_depth;
                function
            }
        };
        self.expect(
            &Token::ParenClose,
            &format!("`)` after the arguments of `{word}`"),
        )?;
        let grouped = !matches!(function, MetricsFunction::Compare { .. });
        let by = if grouped && self.token == Token::Word("by") {
            self.advance()?;
            self.fields("by")?
        } else {
            Vec::new()
        };
        Ok(Item::Function {
            function,
            depth,
            by,
            stages: Vec::new(),
        })
    }

    fn quantiles(&mut self) -> Result<Vec<f64>, ParseError> {
        let mut quantiles = Vec::new();
        self.expect(&Token::Comma, "`,` and a quantile")?;
        loop {
            quantiles.push(match self.token {
                Token::Int(value) => value as f64,
                Token::Float(value) => value,
                _ => return Err(self.unexpected("a quantile (0 to 1)")),
            });
            self.advance()?;
            if self.token != Token::Comma {
                return Ok(quantiles);
            }
            self.advance()?;
        }
    }

    /// The arguments of `compare`.
    fn compare(&mut self) -> Result<(MetricsFunction, usize), ParseError> {
        let (filter, depth) = self.filter()?;
        let mut top = DEFAULT_COMPARE_TOP;
        let (mut start, mut end) = (0, 0);
        if self.token == Token::Comma {
            self.advance()?;
            top = self.integer("how many values to keep")?;
            if self.token == Token::Comma {
                self.advance()?;
                start = self.integer("the start of the window (unix nanoseconds)")?;
                self.expect(&Token::Comma, "`,` and the end of the window")?;
                end = self.integer("the end of the window (unix nanoseconds)")?;
            }
        }
        let function = MetricsFunction::Compare {
            filter,
            top,
            start,
            end,
        };
        Ok((function, depth))
    }

    fn integer(&mut self, expected: &str) -> Result<i64, ParseError> {
        match self.token {
            Token::Int(value) => {
                self.advance()?;
                Ok(value)
            }
            _ => Err(self.unexpected(expected)),
        }
    }

    /// `(a, b)`
    pub(super) fn fields(&mut self, of: &str) -> Result<Vec<Field>, ParseError> {
        self.expect(&Token::ParenOpen, &format!("`(` after `{of}`"))?;
        let mut fields = vec![self.field()?];
        while self.token == Token::Comma {
            self.advance()?;
            fields.push(self.field()?);
        }
        self.expect(&Token::ParenClose, &format!("`,` or `)` in `{of}`"))?;
        Ok(fields)
    }
}
