"""Delimited text in any encoding -> tables of text rows."""
